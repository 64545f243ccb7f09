package cmd

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"mailmove/cmd/internal/dns/dnstest"
)

type worldKey struct{}

// startNames is the script command
//
//	names DIR
//
// It starts a name server for each zone file DIR/IP.zone or DIR/IP-anything.zone, and sets ROOT to the address of the root
// server, 127.0.0.1 with the port of all.
func startNames(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: names DIR")
	}
	files, err := filepath.Glob(ts.MkAbs(args[0]) + "/*.zone")
	ts.Check(err)
	zones := make(map[string]string)
	for _, file := range files {
		key := strings.Replace(strings.TrimSuffix(filepath.Base(file), ".zone"), "-", "/", 1)
		zones[key] = ts.ReadFile(file)
	}
	w, err := dnstest.Start(zones)
	ts.Check(err)
	ts.Defer(w.Close)
	ts.Setenv("ROOT", w.Root().String())
	worlds(ts)[ts.Getenv("WORK")] = w
}

// worlds are the name servers of each script: the environment's values are made before it starts.
func worlds(ts *testscript.TestScript) map[string]*dnstest.World {
	return ts.Value(worldKey{}).(map[string]*dnstest.World)
}

// setZone is the script command
//
//	zone IP FILE
//
// It gives a name server another version of a zone.
func setZone(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: zone IP FILE")
	}
	ts.Check(worlds(ts)[ts.Getenv("WORK")].SetZone(args[0], ts.ReadFile(args[1])))
}

// startPolicy is the script command
//
//	policy IP HOST FILE
//
// It starts a web server for an MTA-STS policy, sets POLICY to its port, and makes its certificate the only one that is
// trusted.
func startPolicy(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: policy IP HOST FILE")
	}
	p, err := dnstest.StartPolicy(args[0], args[1], ts.ReadFile(args[2]))
	ts.Check(err)
	ts.Defer(p.Close)
	ts.Check(os.WriteFile(ts.MkAbs("policy.pem"), p.PEM, 0o600))
	ts.Setenv("SSL_CERT_FILE", ts.MkAbs("policy.pem"))
	ts.Setenv("POLICY", strconv.Itoa(int(p.Port)))
}
