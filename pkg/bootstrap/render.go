package bootstrap

import (
	"bytes"
	_ "embed" // the template
	"fmt"
	"text/template"

	"github.com/nvad/nvad/pkg/config"
)

//go:embed nvad.toml.tmpl
var text string

var page = template.Must(template.New("nvad.toml").Parse(text))

// render is the configuration of p, which nvad takes. The error is that of
// [config.Parse]; name is what it calls the file.
func render(p plan, name string) ([]byte, error) {
	var b bytes.Buffer
	if err := page.Execute(&b, p); err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	if _, err := config.Parse(name, b.Bytes()); err != nil {
		return nil, fmt.Errorf("the flags do not make a valid configuration; nothing was written:\n%w", err)
	}
	return b.Bytes(), nil
}
