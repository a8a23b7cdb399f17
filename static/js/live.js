// The live inspector: an EventSource for the lists, and polling where there is none.
