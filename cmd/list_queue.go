package cmd

import "slices"

// queue are the accounts that wait for their turn, in their order. Accounts of one source and one target wait together: of a
// hundred thousand behind a server that is busy, none is looked at until that has room.
type queue struct {
	waiting []*entry
	ways    map[[2]string]*way
}

// way leads from one server to another one.
type way struct {
	servers [2]string
	waiting int  // accounts
	open    bool // both servers had room at the last look
}

// add puts accounts at the end.
func (q *queue) add(all ...*entry) {
	if q.ways == nil {
		q.ways = make(map[[2]string]*way)
	}
	for _, e := range all {
		servers := [2]string{e.claims[0].Server, e.claims[1].Server}
		if q.ways[servers] == nil {
			q.ways[servers] = &way{servers: servers}
		}
		e.way = q.ways[servers]
		e.way.waiting++
	}
	q.waiting = append(q.waiting, all...)
}

// become replaces the accounts that wait by some of them.
func (q *queue) become(some []*entry) {
	q.waiting, q.ways = nil, nil
	q.add(some...)
}

// start offers accounts to begin, at most so many, each as soon as both its servers are open; begin says whether it took one.
func (q *queue) start(most int, open func(server string) bool, begin func(*entry) bool) {
	left := 0 // accounts that may be offered
	if most > 0 {
		left = q.look(open)
	}
	for i := 0; i < len(q.waiting) && left > 0 && most > 0; {
		e := q.waiting[i]
		if !e.way.open {
			i++
			continue
		}
		if !begin(e) { // its login has all that it may have
			left--
			i++
			continue
		}
		q.waiting = slices.Delete(q.waiting, i, i+1)
		e.way.waiting--
		most--
		left = q.look(open)
	}
}

// look finds the ways that are open, and gives how many accounts wait there.
func (q *queue) look(open func(server string) bool) (n int) {
	known := make(map[string]bool, 2*len(q.ways))
	is := func(server string) bool {
		yes, asked := known[server]
		if !asked {
			yes = open(server)
			known[server] = yes
		}
		return yes
	}
	for _, w := range q.ways {
		w.open = w.waiting > 0 && is(w.servers[0]) && is(w.servers[1])
		if w.open {
			n += w.waiting
		}
	}
	return n
}
