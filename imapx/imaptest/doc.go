// Package imaptest is what mail moving is tested with.
package imaptest
