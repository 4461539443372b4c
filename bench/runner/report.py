"""Ratios of interleaved runs: each is taken within a round, and the median over the rounds is what is said."""
import statistics


def per_round(rounds, scenario, server, value):
    """A list with a number or None for each round; value: a function of a run's result."""
    out = []
    for r in rounds:
        run = r.get(scenario, {}).get(server)
        out.append(value(run) if run else None)
    return out


def ratio(above, below):
    """Text: the median of the quotients, and their range."""
    q = [a / b for a, b in zip(above, below) if a is not None and b]
    if not q:
        return "-"
    text = figure(statistics.median(q))
    return text if len(q) == 1 else "%s [%s..%s]" % (text, figure(min(q)), figure(max(q)))


def figure(x):
    return "%.0f" % x if x >= 100 else "%.1f" % x if x >= 10 else "%.2f" % x


def cell(run, value):
    return "-" if run is None or run.get(value) is None else figure(run[value])


def rates(rounds, key, server):
    return per_round(rounds, key, server, lambda run: run["rate"])


def table(rounds, scenarios, peers, shown_only):
    """Markdown. The first server is Mailreeve, all ratios are its."""
    names = [p + (" ¹" if p in shown_only else "") for p in peers]
    lines = ["| scenario | %s | of the generator against its own sink | dot to 250, p99, to %s | server CPU a message, to %s |" % (
        " | ".join("rate to " + n for n in names), peers[0], peers[0]), "|---" * (len(peers) + 4) + "|"]
    for s in scenarios:
        ours = rates(rounds, s.key, "Mailreeve")
        dots = [per_round(rounds, s.key, name, lambda run: run["dot_ms"]["p99"]) for name in ("Mailreeve", peers[0])]
        cpus = [per_round(rounds, s.key, name, lambda run: run["cpu_ms"]) for name in ("Mailreeve", peers[0])]
        sink = "-" if s.relay else ratio(ours, rates(rounds, s.key, "sink"))
        lines.append("| %s: %s | %s | %s | %s | %s |" % (s.key, s.title, " | ".join(ratio(ours, rates(rounds, s.key, p)) for p in peers), sink,
                                                          ratio(*dots), ratio(*cpus)))
    return lines


def durability(versions, flushes, idle, runs):
    """Markdown: a row a server. runs: server -> all its results."""
    lines = ["| server | flushes before its 250 | flushes a message, one client / 50 sessions | accepted / lost / twice / damaged | KiB an idle STARTTLS session |",
             "|---|---|---|---|---|"]
    for name, version in versions.items():
        look = flushes.get(name)
        flushed = "not looked at" if not look else "no answer seen" if not look["answers"] else "%s (%d of %d)" % (
            "yes" if look["flushed"] == look["answers"] else "**no**", look["flushed"], look["answers"])
        sums = [sum(r[k] for r in runs.get(name, [])) for k in ("acknowledged", "lost", "duplicates", "damaged")]
        lines.append("| %s %s | %s | %s / %s | %s | %s |" % (name, version, flushed, cell(look, "alone"), cell(look, "crowd"), " / ".join(map(str, sums)),
                                                          cell(idle.get(name), "idle_kib")))
    return lines
