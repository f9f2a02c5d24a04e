package web

import (
	"os"
	"testing"

	"github.com/nvad/nvad/integration/lab"
)

func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }
