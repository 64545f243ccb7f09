package cmd

import (
	"net"
	"strings"
	"testing"
)

// A name without a domain is not looked up in this machine's search list, and the hint says what to give instead.
func TestAHostWithoutADomainIsExplained(t *testing.T) {
	unknown := &net.DNSError{Err: "no such host", IsNotFound: true}
	for host, wanted := range map[string]string{"mx": "whole name", "mx.new.example": "spelt right"} {
		if _, hint := describe(new(export).noAddress(host, unknown)); !strings.Contains(hint, wanted) {
			t.Errorf("%s: %q", host, hint)
		}
	}
}
