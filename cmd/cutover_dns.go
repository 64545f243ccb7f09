package cmd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"mailmove/cmd/internal/dns"
	"mailmove/state/fleet"
)

// ttlCheck finds out from when on a switch is safe for these domains: every resolver asks anew soon by then. The reasons say
// why not yet; none: it is safe since safeFrom.
type ttlCheck func(ctx context.Context, domains []string) (safeFrom time.Time, reasons []string, err error)

// askedElsewhere is the check of an admin who says that he has looked.
func askedElsewhere(context.Context, []string) (time.Time, []string, error) {
	return time.Time{}, nil, nil
}

// bindDNS declares what the look at the DNS takes, and where the name space begins, for one of one's own.
func (f *cutoverFlags) bindDNS(set *pflag.FlagSet) {
	group(set, flagGroups()[stepGroup], f.oldTTL.bind)
	set.StringVar(&f.dnsRoot, "dns-root", "", "begin at this name server, whose port all have: `IP:PORT`")
	flag := set.Lookup("dns-root")
	flag.Hidden, flag.Annotations = true, map[string][]string{forDevelopers: nil, groupOf: {flagGroups()[stepGroup]}}
}

// dnsTime bounds a look at the DNS of a group.
const dnsTime = 2 * time.Minute

// ttl is how the commands of a cutover ask the DNS: as mailmove dns does, which remembers in the same place since when a
// TTL is low.
func (f *cutoverFlags) ttl() ttlCheck {
	return func(ctx context.Context, domains []string) (from time.Time, reasons []string, err error) {
		asking := dnsFlags{oldTTL: f.oldTTL, root: f.dnsRoot}
		config, err := asking.config()
		if err != nil {
			return from, nil, err
		}
		dir, err := stateDir(f.stateDir)
		if err != nil {
			return from, nil, err
		}
		memory, err := fleet.Open(ctx, dir)
		if err != nil {
			return from, nil, err
		}
		defer func() { err = errors.Join(err, memory.Close()) }()
		within, cancel := context.WithTimeout(ctx, dnsTime)
		defer cancel()
		report, err := checkDNS(within, memory, config, domains)
		if err != nil && ctx.Err() == nil { // what cannot be known is not safe, and no reason to say nothing of other groups
			return from, []string{fmt.Sprintf("the DNS cannot be asked: %v", err)}, nil
		}
		if err != nil {
			return from, nil, context.Cause(ctx)
		}
		var unsafe *dns.UnsafeError
		if errors.As(report.Safe(time.Now()), &unsafe) {
			return report.SwitchEarliest(), unsafe.Reasons, nil
		}
		return from, nil, nil
	}
}
