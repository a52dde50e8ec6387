"""Who wins: policies over places and seeds, each as one file that is computed once."""
