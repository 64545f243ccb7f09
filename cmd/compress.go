package cmd

import (
	"errors"

	"mailmove/imapx"
)

// compressMode is the value of --compress.
type compressMode imapx.Compress

func compressModes() []string { return []string{"off", "auto", "on"} } // by imapx.Compress

func (m *compressMode) Set(text string) error {
	for i, name := range compressModes() {
		if text == name {
			*m = compressMode(i)
			return nil
		}
	}
	return errors.New("write auto, on or off")
}

func (m *compressMode) String() string { return compressModes()[*m] }

func (*compressMode) Type() string { return "WHEN" }
