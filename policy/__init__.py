"""The policy pack: what no program may ask for, told before the first machine is touched."""
