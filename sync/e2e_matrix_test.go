//go:build e2e

package sync_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
)

var updateServers = flag.String("update-servers", "", "`NAME`: run all pairs, those of this server, or one (A to B), and write the table of docs/servers.md anew")

const (
	serversPage                  = "../docs/servers.md"
	matrixBegins, matrixEnds     = "<!-- the matrix: made by TestE2EMatrix -->\n", "<!-- end of the matrix -->\n"
	allPairsFrom                 = 20 // minutes
	leastPairs, percentForMatrix = 2, 15
	slowParty                    = 3 // imap4d reads its whole folder for each message that it stores: two minutes for 2,000
)

// TestE2EMatrix moves preset S between every ordered pair of servers, twice, and holds the referee's verdict against the
// table in docs/servers.md. With less than 20 minutes it is so many pairs as fit into its share, chosen by
// the seed, without imap4d, which TestOtherServers has.
func TestE2EMatrix(t *testing.T) {
	c, err := imaptest.NewCorpus(imaptest.S, 1)
	must(t, err)
	makers := []func(*testing.T) *party{dovecotParty, cyrusParty, courierParty, mailutilsParty,
		func(t *testing.T) *party { return embeddedParty(t, c) }}
	minutes, _ := strconv.Atoi(os.Getenv("MAILMOVE_E2E_MINUTES"))
	all := *updateServers != "" || minutes >= allPairsFrom
	end := share(percentForMatrix)
	var pairs [][2]int
	for i := range makers {
		for k := range makers {
			if all || i != slowParty && k != slowParty {
				pairs = append(pairs, [2]int{i, k})
			}
		}
	}
	if !all {
		rng := seed(t)
		rng.Shuffle(len(pairs), func(i, k int) { pairs[i], pairs[k] = pairs[k], pairs[i] })
	}
	parties := make([]*party, len(makers))
	sources := make([]*source, len(makers))
	get := func(i int) *party {
		if parties[i] == nil {
			parties[i] = makers[i](t)
		}
		return parties[i]
	}
	m := readMatrix(t)
	for n, p := range pairs {
		if !all && n >= leastPairs && time.Now().After(end) {
			break
		}
		from, to := get(p[0]), get(p[1])
		if u := *updateServers; u != "" && u != "all" && u != from.name && u != to.name && u != from.name+" to "+to.name {
			continue
		}
		if sources[p[0]] == nil {
			user, refused := from.loaded(t, c)
			sources[p[0]] = &source{user, refused}
			m.check(t, from.name, "refuses", strings.Join(refused, ", "))
		}
		m.check(t, from.name, to.name, carriedPair(t, from, sources[p[0]].user, to, c))
	}
	if *updateServers != "" {
		m.write(t)
	}
}

// embeddedParty has all its users from the beginning, the first of them with the corpus.
func embeddedParty(t *testing.T, c *imaptest.Corpus) *party {
	t.Helper()
	users := []imaptest.EmbeddedUser{{Name: "u0", Password: real.Password, Corpus: c}}
	for _, name := range []string{"u1", "u2", "u3", "u4", "u5", "u6", "u7", "u8"} {
		users = append(users, imaptest.EmbeddedUser{Name: name, Password: real.Password})
	}
	e, err := imaptest.StartEmbedded(imaptest.EmbeddedOptions{Users: users})
	must(t, err)
	t.Cleanup(e.Close)
	used := 0
	p := &party{name: "Embedded", delim: "/", addr: e.Addr(), loaded: func(*testing.T, *imaptest.Corpus) (string, []string) { return "u0", nil }}
	p.fresh = func() string {
		used++
		user := users[used].Name
		// A folder of the target's own: these servers count UIDVALIDITY from 1 and would look like one mailbox.
		must(t, client(t, e.Addr(), transfer{TargetUser: user, Password: real.Password}).Create("Own", nil).Wait())
		return user
	}
	return p
}

// source is a mailbox with the corpus, and what its server did not take of it.
type source struct {
	user    string
	refused []string
}

// matrix is the table: by row and column.
type matrix struct {
	page    string
	rows    []string
	columns []string
	cells   map[string]string
}

func readMatrix(t *testing.T) *matrix {
	t.Helper()
	page, err := os.ReadFile(serversPage)
	must(t, err)
	m := &matrix{page: string(page), cells: map[string]string{}}
	_, rest, ok := strings.Cut(m.page, matrixBegins)
	table, _, ok2 := strings.Cut(rest, matrixEnds)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the matrix", serversPage)
	}
	for i, line := range strings.Split(strings.TrimSpace(table), "\n") {
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		switch i {
		case 0:
			m.columns = cells[1:]
		case 1:
		default:
			m.rows = append(m.rows, cells[0])
			for k, text := range cells[1:] {
				m.cells[cells[0]+" > "+m.columns[k]] = text
			}
		}
	}
	return m
}

// check holds a cell against the table, or puts it there. The column "refuses" is the source itself.
func (m *matrix) check(t *testing.T, row, column, got string) {
	t.Helper()
	if got == "" {
		got = "–"
	}
	key := row + " > " + column
	switch want := m.cells[key]; {
	case *updateServers != "":
		m.cells[key] = got
		for list, name := range map[*[]string]string{&m.rows: row, &m.columns: column} {
			if !slices.Contains(*list, name) {
				*list = append(*list, name)
			}
		}
	case got != want:
		t.Errorf("%s: %q; %s says %q (go test -tags e2e ./sync -run E2EMatrix -update-servers all writes it)", key, got, serversPage, want)
	}
}

func (m *matrix) write(t *testing.T) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "| from \\ to | %s |\n|%s\n", strings.Join(m.columns, " | "), strings.Repeat(" --- |", len(m.columns)+1))
	for _, row := range m.rows {
		fmt.Fprintf(&b, "| %s |", row)
		for _, column := range m.columns {
			fmt.Fprintf(&b, " %s |", m.cells[row+" > "+column])
		}
		b.WriteString("\n")
	}
	before, rest, _ := strings.Cut(m.page, matrixBegins)
	_, after, _ := strings.Cut(rest, matrixEnds)
	must(t, os.WriteFile(serversPage, []byte(before+matrixBegins+b.String()+matrixEnds+after), 0o644))
}
