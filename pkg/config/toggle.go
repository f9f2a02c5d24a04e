package config

// Toggle is a setting that may be left to nvad.
type Toggle uint8

// Values of a [Toggle].
const (
	Auto Toggle = iota
	On
	Off
)

// toggle is "auto", true or false.
type toggle struct{ p *Toggle }

func (v toggle) set(c cell) {
	switch c.val {
	case "auto":
		*v.p = Auto
	case true:
		*v.p = On
	case false:
		*v.p = Off
	default:
		c.want(`"auto", true or false`)
	}
}

func (toggle) kind() string { return `"auto", true or false` }

func (v toggle) toml() string { return [...]string{`"auto"`, "true", "false"}[*v.p] }
