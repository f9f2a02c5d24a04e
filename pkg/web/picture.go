package web

import (
	"net/http"

	"github.com/nvad/nvad/pkg/drawing"
	"github.com/nvad/nvad/pkg/survey"
)

// Widths of the picture, in CSS pixels.
const (
	usualWidth = 1100
	mostWidth  = 4000
)

// picture answers with the drawing of the site, or of one NVA.
func (s *Server) picture(w http.ResponseWriter, r *http.Request) {
	body, err := s.draw(r)
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	send(w, r, http.StatusOK, "image/svg+xml", body)
}

func (s *Server) draw(r *http.Request) ([]byte, error) {
	at, err := timeOf(r, "at")
	if err != nil {
		return nil, err
	}
	width, err := numberOf(r, "width", drawing.Narrowest, usualWidth, mostWidth)
	if err != nil {
		return nil, err
	}
	only := r.URL.Query().Get("nva")
	if only != "" && s.find(only) == nil {
		return nil, unknownNVA(only)
	}
	var members []survey.Member
	for _, m := range s.states(r.Context(), at) {
		if only == "" || m.Name == only {
			members = append(members, survey.Member{Name: m.Name, State: &m.NVA, Error: m.Error})
		}
	}
	site := survey.Picture(members, at)
	site.Caption = "" // the page says for which moment it is
	return drawing.Draw(site, drawing.Options{Width: width, Page: true}), nil
}

// find returns the NVA of a name, nil if there is none.
func (s *Server) find(name string) *nva {
	for _, n := range s.nvas {
		if n.Name == name {
			return n
		}
	}
	return nil
}
