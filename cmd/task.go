package cmd

// task is how far a command has come with what it is for: what a stop, or a report that cannot be written, means for
// whoever waits for it.
type task int

const (
	reading  task = iota // nothing is changed (yet)
	asking               // it waits for a person to agree
	changing             // the state of an account is being changed
	moving               // a pass
)

// afterStop is what to do after a stop.
func (t task) afterStop() string {
	return map[task]string{
		asking:   "nothing was changed",
		changing: "what was done until then stays; run it again for the rest",
		moving:   "run it again: it goes on where it was",
	}[t]
}

// afterLoss is what to know where the output was lost.
func (t task) afterLoss() string {
	return map[task]string{
		changing: "what it did is done; only the report of it is lost",
		moving:   "the work is done and in the state (mailmove status); only its report is lost",
	}[t]
}
