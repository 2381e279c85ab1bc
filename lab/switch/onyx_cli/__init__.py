"""The command line of the simulated Onyx switch; standard library only."""
