package ctl

import (
	"cmp"
	"fmt"
	"strings"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// pollField shows what the polls of Azure saw last, and whether they still work.
func (a *app) pollField(p *page, s *nvadv1.AzureState) {
	if s == nil {
		return
	}
	asked := "not asked yet"
	if s.GetTaken() != nil {
		asked = fmt.Sprintf("asked %s ago%s: %s, %s", a.age(s.GetTaken()), when(s.GetStale(), ", which is too long"),
			count(s.GetPrefixes(), "prefix"), count(s.GetFindings(), "finding")) + when(s.GetNotRead() > 0, ", "+count(s.GetNotRead(), "thing")+" not read") +
			when(s.GetFindings()+s.GetNotRead() > 0, " (nvactl azure diff)")
	}
	idle := when(s.GetFailedAt() == nil && (s.GetTaken() == nil || s.GetStale()), "systemctl status nvad-azure.timer")
	failed := when(s.GetFailedAt() != nil, fmt.Sprintf("the last poll failed %s ago: %s", a.age(s.GetFailedAt()), s.GetError()))
	p.field("Azure", joined("; ", asked, failed)+when(idle != "", " ("+idle+" says why)"))
}

// azureField is one line about what Azure did with a prefix.
type azureField struct{ label, text string }

// azureStory returns a heading and the lines below it.
func (a *app) azureStory(v *nvadv1.AzureView) (heading string, fields []azureField) {
	if v.GetTaken() == nil {
		return "Azure: not known yet, no poll has succeeded (nvactl status)", nil
	}
	f := v.GetFate()
	heading = fmt.Sprintf("Azure, %s ago%s: %s", a.age(v.GetTaken()), when(v.GetStale(), " (too long, see nvactl status)"),
		cmp.Or(strings.Join(f.GetPrefixes(), ", "), "it is not among the prefixes that nvad had sent"+
			when(v.GetLeftOut() > 0, fmt.Sprintf(", or among %d that were too many", v.GetLeftOut()))))
	fields = append(fields, azureField{"Learned", learnedText(f)}, azureField{"NIC", f.GetEffective()})
	for _, c := range f.GetFindings() {
		fields = append(fields, azureField{"Finding", c.GetCode() + ": " + c.GetReason()})
	}
	return heading, fields
}

// learnedText says which instances of Route Servers learned a prefix.
func learnedText(f *nvadv1.AzureFate) string {
	yes, no := f.GetLearnedBy(), f.GetNotLearnedBy()
	return joined(", ", prefixed("by ", strings.Join(yes, " and ")), prefixed("not by ", strings.Join(no, " or ")))
}
