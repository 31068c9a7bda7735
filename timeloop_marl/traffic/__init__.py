"""The words that a loop nest moves (sections 1 to 10 of docs/model.md): counts, no price, no bandwidth, no energy."""
