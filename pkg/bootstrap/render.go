package bootstrap

import (
	"fmt"

	"github.com/nvad/nvad/pkg/config"
)

// render is the configuration of p, which nvad takes. The error is that of
// [config.Parse]; name is what it calls the file.
func render(p plan, name string) ([]byte, error) {
	text := page(p)
	if _, err := config.Parse(name, text); err != nil {
		return nil, fmt.Errorf("the flags do not make a valid configuration; nothing was written:\n%w", err)
	}
	return text, nil
}
