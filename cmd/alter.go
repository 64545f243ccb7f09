package cmd

import "errors"

// alterMode is the value of --alter.
type alterMode bool // true: never

func alterModes() []string { return []string{"auto", "never"} }

func (m *alterMode) Set(text string) error {
	switch text {
	case "auto":
		*m = false
	case "never":
		*m = true
	default:
		return errors.New("write auto or never")
	}
	return nil
}

func (m *alterMode) String() string {
	if *m {
		return "never"
	}
	return "auto"
}

func (*alterMode) Type() string { return "WHEN" }
