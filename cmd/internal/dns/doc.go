// Package dns looks at what the DNS says of mail domains around a cutover: whether all name servers agree, how long
// resolvers remember what is there now, and what else (SPF, MTA-STS, SRV …) would keep mail or mail programs from the
// new server.
//
// Invariants:
//
//   - It asks, and changes nothing. It asks the authoritative name servers themselves, without recursion, beginning at
//     the roots: no resolver's memory stands between. Resolvers are asked only for what they remember.
//   - Every query has a deadline and a context; how many are under way at once, how many there are for a domain, how
//     deep delegations and aliases go and how much of an answer is kept have bounds (bounds in config.go). What a
//     bound leaves out is told in a finding.
//   - What comes from the DNS is hostile: texts in a Report hold it as it came, shortened; whoever prints them cleans
//     them.
//   - DNSSEC is not validated: who could forge answers to this machine can mislead a report, not move mail.
//   - Time comes from Config.Now, but for the deadlines of queries.
//
// Where to change what:
//
//	config.go    what may be asked, and all bounds
//	exchange.go  one question to one server: UDP, EDNS, TCP
//	walk.go      from the roots to a zone, and names to addresses
//	audit.go     every server of a zone, at every address
//	report.go    the types of a report, and whether a switch is safe
//	plan.go      when: TTLs, what resolvers may still remember
//	check.go     the order of it all
//	judge.go     findings on a zone and its records
//	expect.go    what should be there, and what given resolvers remember
//	mx.go, spf.go, spfparse.go, mtasts.go, named.go   findings on mail
package dns
