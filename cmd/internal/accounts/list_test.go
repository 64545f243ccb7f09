package accounts

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

const ownHeader = "id,source,source_user,source_password,target,target_user,target_password"

// A file that cannot be read as a whole is told with its name, the line, the column and what to do.
func TestBadFiles(t *testing.T) {
	for name, c := range map[string]struct {
		text, encoding string
		want, hint     string
	}{
		"nothing":        {"", "", "list: there is no account in it", "docs/lists.md"},
		"blank":          {"\n \n;;;\n", "", "list: there is no account in it", ""},
		"header only":    {ownHeader + "\n", "", "list: there is no account in it", ""},
		"comments only":  {"# a\n# b\n", "", "list: there is no account in it", ""},
		"xlsx":           {"PK\x03\x04rest", "", "list: that is a spreadsheet or a ZIP archive, not a list", "CSV UTF-8"},
		"gzip":           {"\x1f\x8b\x08", "", "list: that is a gzip file, not a list", ""},
		"zero bytes":     {"a;b;c\x00;d\xff\n", "", "list: that is no text: it holds zero bytes", ""},
		"zero byte":      {ownHeader + "\na,b\x00", "", "list:2:4: a zero byte: this is no text", ""},
		"open quote":     {ownHeader + "\n1,h,alice,\"pw,h2,a,b\n2,h,bob,pw,h2,b,c\n", "", "list:2:11: the quote that begins here is not closed", "twice"},
		"quote inside":   {ownHeader + "\n1,h,ä,\"p\"w\",h2,a,b\n", "", "list:2:10: there is something between a closing quote", "twice"},
		"unknown":        {"x;y;z\n1;2;3\n", "", "list:1: it cannot be told which columns these are", "source;source_user"},
		"two users":      {"source,source_user,source_login,target_user\na,b,c,d\n", "", `list:1: two columns mean source_user: "source_user" and "source_login"`, "rename"},
		"two encodings":  {"source;source_user;target_user\nh;m\xc3\xbcller;a\nh;m\xfcller;b\n", "", "list:3: the file is of two encodings: line 2 is UTF-8, line 3 is not", "--encoding"},
		"no 1252":        {"source;source_user;target_user\nh;m\x81ller;a\n", "", "list:2:4: the byte 0x81 is neither UTF-8 nor Windows-1252", ""},
		"no UTF-8":       {"source;source_user;target_user\nh;m\xfcller;a\n", "utf-8", "list:2:4: that is not UTF-8", ""},
		"odd UTF-16":     {"\xff\xfea\x00b", "", "list: that is not UTF-16: the number of bytes is odd", ""},
		"half surrogate": {"\xff\xfea\x00\x00\xd8b\x00", "", "list:1:2: that is not UTF-16: half a character", ""},
		"many cells":     {ownHeader + "\n" + strings.Repeat(",", 2000) + "\n", "", "list:2: the line has more than 1000 cells", ""},
		"sep":            {"sep=#\na#b\n", "", "list:1: sep= names no separator", ""},
		"cfg quote":      {"SourceServer h\nCopy \"a\" \"b\n", "", "list:2: a quote is not closed", ""},
		"cfg word":       {"SourceServer h\nSkipFolder Trash\n", "", `list:2: "SkipFolder" has no meaning here that is known`, "--exclude"},
		"json":           {"[{\"user1\": \"a\",\n\"x\": }]", "", "list:2:6: that is no JSON array of jobs", ""},
		"encoding":       {"a", "latin", "list: unknown encoding", "utf-8, utf-16, windows-1252"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read(strings.NewReader(c.text), "list", Options{Encoding: c.encoding, Columns: testColumns()})
			var bad *Error
			if !errors.As(err, &bad) || !strings.HasPrefix(bad.Error(), c.want) || !strings.Contains(bad.Hint(), c.hint) {
				t.Errorf("%v; hint %q; want %s; %s", err, bad.Hint(), c.want, c.hint)
			}
		})
	}
}

func TestDirectory(t *testing.T) {
	f, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, err = Read(f, "folder", Options{})
	var path *fs.PathError
	if err == nil || err.Error() != "folder: is a directory" || !errors.As(err, &path) {
		t.Errorf("%v", err)
	}
}

// A bad row is told by its line, and leaves those around it alone. Nothing of what may be a password shows.
func TestBadRows(t *testing.T) {
	l := readText(t, ownHeader+"\n"+
		"1,h,a,hunter2,h2,a2,hunter2\n"+
		"2,h,b,hun,ter2,h2,b2,hunter2\n"+
		"3,h,c\n"+
		"4,h,\x07d,hunter2,h2,d2,hunter2\n"+
		"5,h,e,hunter2,h2,e2,hunter2,,,\n"+
		"6,h,"+strings.Repeat("f", 70_000)+",hunter2,h2,f2,hunter2\n")
	want := []string{"", "8 cells, the header has 7", "3 cells, the header has 7", "a control character", "", "it is longer than 64 KiB"}
	for i, r := range l.Rows {
		got := ""
		if len(r.Problems) > 0 {
			got = r.Problems[0].Text
			if r.Problems[0].Line != i+2 || r.Line != i+2 {
				t.Errorf("row %d is in line %d", i, r.Line)
			}
		}
		if got != want[i] {
			t.Errorf("row %d: %q, want %q", i, got, want[i])
		}
	}
	if got := l.Rows[1].Cells; !slices.Equal(got, []string{"2", "h", "b", takenOut}) {
		t.Errorf("a shifted row keeps %q", got)
	}
	checkSecrets(t, l)
}

// Options of a row that hold a password are refused, and taken out of what is shown.
func TestPasswordsAmongOptions(t *testing.T) {
	for _, text := range []string{
		"source,source_user,target_user,options\nh,a,b,--source-password hunter2\n",
		"source,source_user,target_user,options\nh,a,b,--target-password=hunter2\n",
		"source,source_user,target_user,options\nh,a,b,--source-proxy=socks5://me:hunter2@gate\n",
		"source,source_user,target_user,options\nh,a,b,\"--source 'imaps://me:hunter2@gate' --strict\"\n",
		"source,source_user,target_user,source_proxy\nh,a,b,http://me:hunter2@gate:3128\n",
		"source,source_user,target_user,target_proxy\nh,a,b,me:hunter2@gate\n",
		"h1;u1;p1;h2;u2;p2;--password1 hunter2;\n",
		"h1;u1;p1;h2;u2;p2;--oauthaccesstoken1 hunter2;\n",
		"h1;u1;p1;h2;u2;p2;hunter2;\n",
		"h1;u1;p1;h2;u2;p2;--hunter2!;\n",
		"h1;u1;p1;h2;u2;hunter2;hunter2;p2\n",
	} {
		if strings.HasPrefix(text, "h1") {
			text = "h1;u1;p1;h2;u2;p2;\n" + text
		}
		l := readText(t, text)
		if len(l.Rows[len(l.Rows)-1].Problems) == 0 {
			t.Errorf("%q is taken", text)
		}
		checkSecrets(t, l)
	}
	l := readText(t, "source,source_user,target_user,options\nh,a,b,--source-password-file /etc/pw\n")
	if len(l.Rows[0].Problems) > 0 || l.Rows[0].Cells[3] != "--source-password-file /etc/pw" {
		t.Errorf("a password file: %v", l.Rows[0])
	}
	l = readText(t, "source,source_user,target_user,source_proxy,options\nh,a,b,http://me@gate:3128,--target-proxy socks5://gate:1080\n")
	if len(l.Rows[0].Problems) > 0 || l.Rows[0].Fields["source_proxy"] != "http://me@gate:3128" {
		t.Errorf("a proxy: %v", l.Rows[0])
	}
}

// Every way in which a spreadsheet writes lines gives the same rows, and composed and decomposed letters stay what they are.
func TestLinesAndLetters(t *testing.T) {
	const composed, decomposed = "p\u00e4ss", "pa\u0308ss"
	rows := []string{ownHeader, "1,h,a," + composed + ",h2,a2,x", "2,h,b," + decomposed + ",h2,b2,\" y \"", ""}
	for name, text := range map[string]string{
		"LF": strings.Join(rows, "\n"), "CR LF": strings.Join(rows, "\r\n"), "CR": strings.Join(rows, "\r"),
		"BOM": "\ufeff" + strings.Join(rows, "\n"), "sep": "\"sep=,\"\r\n" + strings.Join(rows, "\r\n"), "last line open": strings.Join(rows[:3], "\r\n"),
	} {
		l := readText(t, text)
		if len(l.Rows) != 2 {
			t.Errorf("%s: %d rows", name, len(l.Rows))
			continue
		}
		got := []string{l.Rows[0].Secrets["source_password"].Reveal(), l.Rows[0].Secrets["target_password"].Reveal(),
			l.Rows[1].Secrets["source_password"].Reveal(), l.Rows[1].Secrets["target_password"].Reveal()}
		if !slices.Equal(got, []string{composed, "x", decomposed, " y "}) {
			t.Errorf("%s: %q", name, got)
		}
		if l.BOM != (name == "BOM") {
			t.Errorf("%s: BOM %v", name, l.BOM)
		}
		if len(l.Notes) != 2 || !strings.Contains(l.Notes[0].Text, "NFD") {
			t.Errorf("%s: notes %v", name, l.Notes)
		}
	}
}

// What --encoding says counts.
func TestEncoding(t *testing.T) {
	const text = "source,source_user,target_user\nh,m\xc3\xbcller,a\n"
	l, err := Read(strings.NewReader(text), "list", Options{Encoding: "windows-1252", Columns: testColumns()})
	if err != nil || l.Rows[0].Fields["source_user"] != "mÃ¼ller" || len(l.Warnings) > 0 {
		t.Errorf("%v %v", l, err)
	}
	for _, mark := range []string{"", "\ufeff"} {
		for _, big := range []bool{false, true} {
			data := toUTF16(mark+ownHeader+"\n1,h,ä𝄞,pw,h,b,c\n", big)
			l, err := Read(strings.NewReader(data), "list", Options{Columns: testColumns()})
			if err != nil || l.Rows[0].Fields["source_user"] != "ä𝄞" || l.BOM != (mark != "") || l.Encoding != "utf-16" {
				t.Errorf("mark %v, big %v: %v %v", mark != "", big, l, err)
			}
		}
	}
}

// A result is read as a list again: its columns say nothing, and what was made harmless is as it was.
func TestResultAsList(t *testing.T) {
	l := readText(t, "source,source_user,source_password,target_user,outcome,exit_code,messages,bytes,exceptions,duration,next_action,options\n"+
		"h,'=a,'=p,'@b,failed,161,0,0,0,3s,check,'--into x\n")
	if got := rendered(l.Rows[0]); got != "source=h source_user==a target_user=@b source_password='=p --into x" || len(l.Warnings)+len(l.Notes) > 0 {
		t.Errorf("%s %v %v", got, l.Warnings, l.Notes)
	}
}

// Jobs of one line are counted: a row is known by its line.
func TestJobsOfOneLine(t *testing.T) {
	const job = `{"host1":"h","user1":"a","password1":"p","enc1":"SSL","user2":"b"}`
	l := readText(t, "["+job+","+job+","+job+"]")
	for i, r := range l.Rows {
		if r.Line != i+1 || rendered(r) != "source=h source_tls=implicit source_user=a target_user=b source_password=p" {
			t.Errorf("%d: line %d: %s", i, r.Line, rendered(r))
		}
	}
	if len(l.Rows) != 3 {
		t.Errorf("%d jobs", len(l.Rows))
	}
}

// Accounts for a test are called user1 and user2, and the first of them is no header.
func TestARowThatLooksLikeAHeader(t *testing.T) {
	for _, first := range []string{"192.0.2.1;user1;password1;192.0.2.2;user2;password2;", "mail.old.example,user1,pass1,mail.new.example,user2,pass2"} {
		l := readText(t, first+"\n")
		if l.Format != "imapsync" || len(l.Rows) != 1 || l.Rows[0].Fields["source_user"] != "user1" || l.Rows[0].Fields["target_user"] != "user2" {
			t.Errorf("%s: %s, %v", first, l.Format, l.Rows)
		}
	}
	for _, first := range []string{"host1;user1;password1;host2;user2;password2", "Source.Host;user1;password1;Target.Host;user2;password2"} {
		if l := readText(t, first+"\nold.example;a;p;new.example;b;q\n"); len(l.Rows) != 1 || l.Header == nil {
			t.Errorf("%s is no header: %v", first, l.Rows)
		}
	}
}

// A misspelt column is named, with what was meant.
func TestUnknownColumn(t *testing.T) {
	l := readText(t, "source,source_user,target_user,source_pasword_file,Kennwort\nh,a,b,c,hunter2\n")
	if len(l.Warnings) != 1 || l.Warnings[0].Column != "source_pasword_file, Kennwort" || l.Warnings[0].Hint != "did you mean source_password_file?" {
		t.Errorf("%+v", l.Warnings)
	}
	if !slices.Equal(l.SecretColumns, []int{4}) {
		t.Errorf("secret columns %v", l.SecretColumns)
	}
	l = readText(t, ownHeader+"\n#1,h,a,p,h,b,q\n2,h,a,p,h,b,q\n# a comment\n")
	if len(l.Rows) != 1 || len(l.Warnings) != 1 || !strings.HasPrefix(l.Warnings[0].Text, "line 2: left out") {
		t.Errorf("%+v", l.Warnings)
	}
}

// A hundred thousand rows take a moment, and the time is in proportion: eight times the rows, far less than 64 times it.
func TestManyRows(t *testing.T) {
	read := func(n int) time.Duration {
		var b strings.Builder
		b.WriteString(ownHeader + "\n")
		for i := range n {
			fmt.Fprintf(&b, "id%d,mail.old.example,user%d,\"p;%d\",mail.new.example,user%d,pw\n", i, i, i, i)
		}
		begun := time.Now()
		l, err := Read(strings.NewReader(b.String()), "list", Options{Columns: testColumns()})
		if err != nil || len(l.Rows) != n {
			t.Fatalf("%d rows: %v", n, err)
		}
		l.Check(func(r Row) (string, string, error) {
			return "s" + r.Fields["source_user"], "t" + r.Fields["target_user"], nil
		})
		if i := slices.IndexFunc(l.Rows, func(r Row) bool { return len(r.Problems) > 0 }); i >= 0 {
			t.Fatal(l.Rows[i].Problems)
		}
		return time.Since(begun)
	}
	few, many := read(12_500), read(100_000)
	t.Logf("%v, %v", few, many)
	if many > 32*few+time.Second {
		t.Errorf("12,500 rows took %v, 100,000 took %v", few, many)
	}
}
