package ctl

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/nvad/nvad/pkg/drawing"
	"github.com/nvad/nvad/pkg/survey"
)

// widest SVG, in pixels.
const mostPixels = 8000

// drawSite draws the NVAs of the site, or the one that the command is for. An NVA that does
// not answer is drawn as such; it is an error only without a site.
func (a *app) drawSite(ctx context.Context, width int) error {
	if width < drawing.Narrowest || width > mostPixels {
		return fmt.Errorf("--width: want %d to %d, got %d", drawing.Narrowest, mostPixels, width)
	}
	members, err := a.members()
	if err != nil {
		return err
	}
	replies := gather(ctx, cmp.Or(a.deadline, siteDeadline), members, func(ctx context.Context, c *client) (*survey.NVA, error) {
		return survey.Take(ctx, c.read)
	})
	if a.site == "" && replies[0].err != nil {
		return replies[0].err
	}
	list := make([]survey.Member, len(replies))
	for i, r := range replies {
		list[i] = survey.Member{Name: r.nva, State: r.answer}
		if r.err != nil {
			list[i].State, list[i].Error = survey.Unknown(), r.err.Error()
		}
		list[i].Name = cmp.Or(r.nva, list[i].State.Host, "NVA")
	}
	svg := drawing.Draw(survey.Picture(list, a.Now()), drawing.Options{Width: width})
	_, err = a.Out.Write(svg)
	return errors.Join(err, silent(replies))
}
