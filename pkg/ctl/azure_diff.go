package ctl

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nvad/nvad/pkg/azure"
	"github.com/nvad/nvad/pkg/azure/arm"
)

func (a *app) azureDiffCommand(at *azureAccess) *cobra.Command {
	q := &azureQuestion{Ask: arm.Ask{Routes: true}}
	var all bool
	cmd := &cobra.Command{
		Use:   "diff",
		Short: "Compare what nvad sent with what Azure does with it",
		Long: `Compare, for every instance of Route Server and every prefix: whether nvad sent
it, whether the instance learned it, whether it is in the effective routes of
the NICs, and whether it came back to nvad. A row that is as nvad wants it is
printed only with --all.

Each cause follows once, with its reason and what mends it. The exit code is 1
if there is an error or a warning. What could not be read is listed, and is not
judged.

What happens at a spoke only its NIC shows: give one of each spoke with --spoke,
as NAME, RESOURCEGROUP/NAME or resource ID.`,
		Example: `  nvactl azure diff
  nvactl azure diff --spoke rg-spoke/nic-spoke01 --all
  nvactl azure diff -o json | jq -r '.findings[].code'
  nvactl azure snapshot --routes > hub00.json
  nvactl azure diff --from-snapshot hub00.json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return failed(a.azureDiff(cmd.Context(), at, q, all))
		},
	}
	q.register(cmd)
	q.fromFile(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "also rows that are as they should be")
	return cmd
}

func (a *app) azureDiff(ctx context.Context, at *azureAccess, q *azureQuestion, all bool) error {
	saved, err := a.snapshotOf(ctx, at, q)
	if err != nil {
		return err
	}
	self, err := a.selfBeside(ctx, &saved)
	if err != nil {
		return err
	}
	if a.json() {
		r := azure.Diff(saved.Snapshot, self, azure.Options{Listed: mostSelfRoutes})
		writeValue(a.Out, r)
		return verdictOf(&r)
	}
	r := azure.Diff(saved.Snapshot, self, azure.Options{})
	a.printReport(&r, all)
	return verdictOf(&r)
}

// verdictOf returns an error if something is wrong, or will be after the next failure.
func verdictOf(r *azure.Report) error {
	n := tallyOf(r)
	if n[azure.Error]+n[azure.Warning] == 0 {
		return nil
	}
	return fmt.Errorf("Azure does not do all that nvad wants: %s", joined(", ",
		when(n[azure.Error] > 0, count(n[azure.Error], "error")), when(n[azure.Warning] > 0, count(n[azure.Warning], "warning"))))
}

func tallyOf(r *azure.Report) map[azure.Severity]int {
	n := map[azure.Severity]int{}
	for _, f := range r.Findings {
		n[f.Severity]++
	}
	return n
}

func (a *app) printReport(r *azure.Report, all bool) {
	a.printRows(r, all)
	for i, f := range r.Findings {
		a.printFinding(i+1, &f)
	}
	items(a, "\nNot judged", r.NotJudged, func(n azure.NotJudged) string { return strings.TrimSuffix(n.Effect, ".") + ": " + n.Reason })
}

// mostWrongRows bounds how many rows are printed before their causes: one cause may concern
// thousands of prefixes. With --all there is no bound.
const mostWrongRows = 40

// narrowest is the least width of a NIC's column.
const narrowest = 11

// printRows prints the table, and below it how many rows it has not.
func (a *app) printRows(r *azure.Report, all bool) {
	columns := []column{{head: "Instance"}, {head: "Prefix"}, {head: "Sent"}, {head: "Learned"}, {head: "Back"}, {head: "See"}}
	var shown []azure.Row
	var rows [][]string
	wrong := 0
	for _, row := range r.Rows {
		if !row.InOrder {
			wrong++
		}
		if !all && (row.InOrder || wrong > mostWrongRows) {
			continue
		}
		shown = append(shown, row)
		rows = append(rows, []string{row.Instance.String(), row.Prefix.String(), cellText(row.Sent), cellText(row.Learned), cellText(row.Back), numbersOf(r, row.Codes)})
	}
	room := (a.Width-widthOf(columns, rows))/max(len(r.NICs), 1) - gap
	heads := map[string]bool{}
	var each []column
	for _, n := range r.NICs {
		head := elide(n.Name, room)
		each, heads[head] = append(each, column{head: head}), true
	}
	if stacked := room < narrowest || len(heads) < len(each); stacked {
		room, each = 0, []column{{head: "Effective", fit: wrapped}}
	}
	columns = append(columns, each...)
	t := a.newTable(columns...)
	for i, row := range shown {
		cells, note := nicCells(r.NICs, row.NICs, room)
		t.rowWithNote(joined("\n", note, row.Note), append(rows[i], cells...)...)
	}
	t.end()
	if more := wrong - mostWrongRows; more > 0 && !all {
		line(a.Out, fmt.Sprintf("and %s that are not as nvad wants them (--all)", count(more, "more row")))
	}
	if wrong > 0 || all && len(r.Rows) > 0 {
		line(a.Out, "")
	}
	text := fmt.Sprintf("%d of %s are not as nvad wants them", wrong, count(len(r.Rows), "row"))
	switch {
	case len(r.Rows) == 0:
		text = "No prefix is sent to a Route Server, or received from one"
	case wrong == 0:
		text = fmt.Sprintf("%d of %s are as nvad wants them", len(r.Rows), count(len(r.Rows), "row"))
	}
	a.paragraph(fmt.Sprintf("%s. Read at %s UTC.", text, r.Taken.UTC().Format(time.DateTime)))
}

// cellText says where the prefix leads, if it leads elsewhere.
func cellText(c azure.Cell) string {
	switch {
	case c.State == azure.Other && c.Via != "":
		return c.Via
	case c.State == azure.NotSeen:
		return "?"
	}
	return string(c.State)
}

// nicCells returns a cell for each NIC, and in a note what is wider than room. Without any
// room, it returns one cell with a line for each NIC.
func nicCells(nics []azure.Column, cells []azure.Cell, room int) (out []string, note string) {
	for i, c := range cells {
		text := cellText(c)
		long := nics[i].Name + ": " + text
		switch {
		case room == 0:
			text = long
		case length(text) > room:
			text, note = string(c.State), joined("\n", note, long)
		}
		out = append(out, text)
	}
	if room == 0 {
		out = []string{strings.Join(out, "\n")}
	}
	return out, note
}

// widthOf returns the width of a table in which nothing is shortened or wrapped.
func widthOf(columns []column, rows [][]string) int {
	n := gap * (len(columns) - 1)
	for i, c := range columns {
		w := length(c.head)
		for _, cells := range rows {
			w = max(w, length(cells[i]))
		}
		n += w
	}
	return n
}

// numbersOf returns the numbers of the findings that have one of the codes.
func numbersOf(r *azure.Report, codes []azure.Code) string {
	var out []string
	for i, f := range r.Findings {
		for _, c := range codes {
			if f.Code == c {
				out = append(out, strconv.Itoa(i+1))
			}
		}
	}
	return strings.Join(out, ", ")
}

func (a *app) printFinding(number int, f *azure.Finding) {
	first := fmt.Sprintf("%d. ", number)
	rest := spaces(len(first))
	line(a.Out, "")
	hang(a.Out, a.Width, first, rest, fmt.Sprintf("%s: %s", f.Severity, f.Code)+prefixed(", ", f.Name))
	hang(a.Out, a.Width, rest, rest, f.Reason)
	if len(f.Instances) > 0 {
		hang(a.Out, a.Width, rest+"Instances: ", rest+"  ", addresses(f.Instances))
	}
	if len(f.Prefixes) > 0 {
		more := when(f.PrefixCount > len(f.Prefixes), fmt.Sprintf(" and %d more", f.PrefixCount-len(f.Prefixes)))
		hang(a.Out, a.Width, rest+"Prefixes: ", rest+"  ", prefixes(f.Prefixes)+more)
	}
	for i, step := range f.Mend {
		// A sentence that ends in a colon is the title of what follows it.
		if i == 0 || f.Mend[i-1].In != step.In && !strings.HasSuffix(f.Mend[i-1].Text, ":") {
			line(a.Out, rest+mendTitles[step.In])
		}
		a.printStep(rest+"  ", step)
	}
}

// mendTitles say where the steps below them belong.
var mendTitles = map[azure.Where]string{
	azure.InShell: "To mend it, run:", azure.InFile: "To mend it, change nvad.toml and run nvactl reload:", azure.InWords: "To mend it:",
}

func (a *app) printStep(indent string, step azure.Step) {
	switch step.In {
	case azure.InShell:
		for i, l := range shellLines(step.Text, a.Width-len(indent)-2) {
			line(a.Out, indent+when(i > 0, "  ")+l)
		}
	case azure.InFile:
		for _, l := range strings.Split(step.Text, "\n") {
			line(a.Out, indent+l)
		}
	default:
		hang(a.Out, a.Width, indent, indent, step.Text)
	}
}

// shellLines breaks a command into lines that may be copied as they are: each but the last
// ends in a backslash, and what stands in quotes stays together.
func shellLines(command string, width int) []string {
	var lines []string
	now := ""
	for _, w := range shellWords(command) {
		switch {
		case now == "":
			now = w
		case length(now)+1+length(w)+2 <= width:
			now += " " + w
		default:
			lines = append(lines, now+" \\")
			now = w
		}
	}
	return append(lines, now)
}

// shellWords splits a command at the spaces outside of quotes, and keeps an option beside
// its first value.
func shellWords(command string) []string {
	var words []string
	quote, escaped, begin := rune(0), false, 0
	for i, c := range command {
		switch {
		case escaped:
			escaped = false
		case c == '\\' && quote != '\'':
			escaped = true
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == ' ':
			word, after := command[begin:i], command[i+1:]
			if strings.HasPrefix(word, "-") && !strings.Contains(word, " ") && !strings.HasPrefix(after, "-") {
				continue
			}
			words, begin = append(words, word), i+1
		}
	}
	return append(words, command[begin:])
}
