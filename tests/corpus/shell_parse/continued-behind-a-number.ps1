G-eGOOh	9`	

	