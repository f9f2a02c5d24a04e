package bench

import (
	_ "embed"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"text/template"
)

//go:embed chart.svg.tmpl
var chartText string

var chartTemplate = template.Must(template.New("chart").Parse(chartText))

// charted are the metrics of the chart, one row each.
var charted = []string{"fib", "told-nva", "withdraw", "loss", "p99", "cold", "reload", "memory"}

// colors gives the versions of a kind the same colour, the newest the darkest.
var colors = map[string]string{
	Nvad: "#0a7d5a", "bird2.0": "#f0d090", "bird2.17": "#e8b850", "bird3.1": "#c88a10",
	"frr8.4": "#d89090", "frr10.3": "#b04a4a", Floor: "#9a9a9a",
}

// mark is one thing to draw: a bar, or a word.
type mark struct {
	X, Y, TextX, TextY int
	Length             float64
	Color, Name        string
}

type chart struct {
	Width, Height        int
	Legend, Titles, Bars []mark
}

// Sizes of the chart's parts, in pixels.
const (
	chartTop  = 40
	cellWidth = 300
	barSpace  = 13
	longest   = 200.0 // bar
)

// WriteSVG draws a cell for each metric and size; bars are to scale within
// their cell.
func (r *Report) WriteSVG(w io.Writer) error {
	subjects := r.subjects()
	sizes := r.Sizes()
	cellHeight := barSpace*len(subjects) + 34
	c := chart{Width: 10 + cellWidth*len(sizes), Height: chartTop + cellHeight*len(charted)}
	for i, s := range subjects {
		c.Legend = append(c.Legend, mark{X: 10 + 90*i, TextX: 27 + 90*i, Color: colors[s], Name: s})
	}
	for row, key := range charted {
		for col, size := range sizes {
			r.cell(&c, key, size, subjects, 10+col*cellWidth, chartTop+row*cellHeight)
		}
	}
	return chartTemplate.Execute(w, c)
}

// cell adds the bars of one metric and size.
func (r *Report) cell(c *chart, key string, size int, subjects []string, x, y int) {
	m := metricOf(key)
	c.Titles = append(c.Titles, mark{X: x, Y: y + 14, Name: fmt.Sprintf("%d: %s", size, chartTitle(m))})
	most := 0.0
	for _, s := range subjects {
		if v := r.Value(s, size, key); v > most {
			most = v
		}
	}
	for i, s := range subjects {
		v := r.Value(s, size, key)
		if math.IsNaN(v) {
			continue
		}
		top, length := y+20+i*barSpace, longest*v/most
		c.Bars = append(c.Bars, mark{
			X: x, Y: top, Length: length, Color: colors[s],
			TextX: x + int(length) + 4, TextY: top + 9, Name: figure(v) + " " + m.unit,
		})
	}
}

// chartTitles are shorter than those of the tables.
var chartTitles = map[string]string{
	"fib": "FIB complete", "told-nva": "all re-advertised", "withdraw": "withdrawn", "loss": "neighbor lost",
	"p99": "one route, p99", "cold": "cold start", "reload": "new policy applied", "memory": "memory",
}

func chartTitle(m metric) string { return chartTitles[m.key] }

// WriteFiles writes bench.json, bench.md and bench.svg into a directory.
func (r *Report) WriteFiles(dir string) error {
	table := func(w io.Writer) error { r.WriteTable(w); return nil }
	return errors.Join(os.MkdirAll(dir, 0o755),
		writeFile(filepath.Join(dir, "bench.json"), r.WriteJSON),
		writeFile(filepath.Join(dir, "bench.md"), table),
		writeFile(filepath.Join(dir, "bench.svg"), r.WriteSVG))
}

func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}
