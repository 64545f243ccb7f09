//go:build bench

package bench

import (
	"fmt"
	"math"
	"strings"
)

// point is a value of one column of a panel.
type point struct {
	column int
	y      float64
}

// panel is one chart: columns at even distances, a logarithmic y axis.
type panel struct {
	title, x, y string
	columns     []string
	low, high   float64 // of the y axis, powers of ten
	left        int     // pixels
}

const (
	chartWidth  = 960
	chartHeight = 440
	panelTop    = 50
	panelWidth  = 370
	panelHeight = 300
)

// colours of the peers, in their order: to be told apart also by who does not see red and green alike.
func colours() []string {
	return []string{"#d55e00", "#999999", "#0072b2", "#009e73", "#cc79a7", "#000000"}
}

// limitSeries stands for the limit tool's best setting at each point.
const limitSeries = "limit tool"

// series are what is drawn: the peers, and the limit tool once.
func series() []string {
	names := []string{"mailmove", limitSeries}
	for _, name := range peerNames() {
		if isPeer(name) {
			names = append(names, name)
		}
	}
	return names
}

// chart is docs/benchmarks.svg.
func (r report) chart() string {
	distances := []string{"first S", "first S 10ms", "first S 40ms", "first S 150ms"}
	sizes := []string{"nochange 1000", "nochange S", "nochange M", "nochange N", "nochange 1000000"}
	rate := panel{"First pass of S: messages per second", "round-trip time to both servers, ms", "messages per second",
		[]string{"0", "10", "40", "150"}, 1, 10_000, 70}
	still := panel{"A pass without changes: seconds", "messages in the mailbox", "seconds",
		[]string{"1,000", "2,000", "20,000", "200,000", "1,000,000"}, 0.01, 100, 550}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n",
		chartWidth, chartHeight, chartWidth, chartHeight)
	b.WriteString(`<rect width="100%" height="100%" fill="white"/>` + "\n")
	rate.frame(&b)
	still.frame(&b)
	shown := 0
	for i, name := range series() {
		colour := colours()[i%len(colours())]
		fast := r.points(name, distances, func(l string, s float64) float64 { return float64(r.lead(l).Messages) / s })
		slow := r.points(name, sizes, func(_ string, s float64) float64 { return s })
		rate.draw(&b, fast, colour, name == "mailmove")
		still.draw(&b, slow, colour, name == "mailmove")
		if len(fast)+len(slow) > 0 {
			x, y := 70+shown*125, chartHeight-18
			fmt.Fprintf(&b, `<rect x="%d" y="%d" width="14" height="4" fill="%s"/><text x="%d" y="%d">%s</text>`+"\n", x, y-6, colour, x+20, y, name)
			shown++
		}
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// at is where a point lies.
func (p panel) at(q point) (x, y float64) {
	share := math.Log10(min(max(q.y, p.low), p.high)/p.low) / math.Log10(p.high/p.low)
	return float64(p.left) + (float64(q.column)+0.5)*panelWidth/float64(len(p.columns)), panelTop + panelHeight*(1-share)
}

// frame draws the axes.
func (p panel) frame(b *strings.Builder) {
	fmt.Fprintf(b, `<text x="%d" y="%d" font-size="14" font-weight="bold">%s</text>`+"\n", p.left, panelTop-20, p.title)
	for v := p.low; v <= p.high*1.01; v *= 10 {
		_, y := p.at(point{0, v})
		fmt.Fprintf(b, `<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n",
			p.left, y, p.left+panelWidth, y, p.left-6, y+4, axis(v))
	}
	for i, c := range p.columns {
		x, _ := p.at(point{i, p.low})
		fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", x, panelTop+panelHeight+18, c)
	}
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="middle" fill="#555">%s</text>`+"\n", p.left+panelWidth/2, panelTop+panelHeight+38, p.x)
	fmt.Fprintf(b, `<text transform="translate(%d %d) rotate(-90)" text-anchor="middle" fill="#555">%s</text>`+"\n", p.left-52, panelTop+panelHeight/2, p.y)
}

// axis is a power of ten for people.
func axis(v float64) string {
	if v >= 1 {
		return grouped(int(math.Round(v)))
	}
	return fmt.Sprint(math.Round(v*1e6) / 1e6)
}

// draw is one peer's line.
func (p panel) draw(b *strings.Builder, points []point, colour string, bold bool) {
	if len(points) == 0 {
		return
	}
	width := 1.5
	if bold {
		width = 3
	}
	var path []string
	for _, q := range points {
		x, y := p.at(q)
		path = append(path, fmt.Sprintf("%.1f,%.1f", x, y))
		fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="%.1f" fill="%s"/>`+"\n", x, y, width+1, colour)
	}
	fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="%.1f"/>`+"\n", strings.Join(path, " "), colour, width)
}
