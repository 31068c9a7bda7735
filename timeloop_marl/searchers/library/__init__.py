"""Other people's optimisers and RL libraries as searchers, on the same axes and repair. Loaded only when asked for."""
