"""Two hundred deaths under load: nothing acknowledged is lost, nothing is delivered twice without one of them to blame."""
import kill

ROUNDS, SEED = 200, 2821


def test_two_hundred_deaths():
    result = kill.run(ROUNDS, SEED)
    print(kill.table(result))
    assert result["lost"] == [] and result["invented"] == [], kill.table(result)
    assert result["duplicated without reason"] == [], kill.table(result)
    assert result["rounds"] == ROUNDS and result["acknowledged"] > 10 * ROUNDS, kill.table(result)
