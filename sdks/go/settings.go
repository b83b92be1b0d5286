package openmiosa

import (
	"os"
	"regexp"
	"strings"
)

// DefaultBaseURL is where `openmiosa up` listens.
const DefaultBaseURL = "http://127.0.0.1:7878"

var (
	urlForm    = regexp.MustCompile(`^https?://[^/\s?#@]+(/[^\s?#]*)?$`)
	versionEnd = regexp.MustCompile(`/v\d+$`)
	keyLetters = regexp.MustCompile(`^[!-~]+$`)
)

// settledKey is the key to send: the one given, or MIOSA_API_KEY.
func settledKey(given *string) (string, error) {
	key := os.Getenv("MIOSA_API_KEY")
	if given != nil {
		key = *given
	}
	key = strings.TrimSpace(key)
	if key == "" {
		return "", failed(ErrConfiguration, "no API key: use WithAPIKey or set MIOSA_API_KEY (the first `openmiosa up` prints one)")
	}
	if !keyLetters.MatchString(key) {
		return "", failed(ErrConfiguration, "the API key has characters that no key has; was something else pasted?")
	}
	return key, nil
}

// settledBase is the API's base, ending in /vN: the one given, MIOSA_BASE_URL, or the address that `openmiosa up` uses.
func settledBase(given *string) (string, error) {
	base := os.Getenv("MIOSA_BASE_URL")
	if given != nil {
		base = *given
	}
	if base == "" {
		base = DefaultBaseURL
	}
	base = strings.TrimRight(strings.TrimSpace(base), "/")
	if !urlForm.MatchString(base) {
		return "", failed(ErrConfiguration, "the base URL is not http(s)://host[:port][/prefix]: check WithBaseURL or MIOSA_BASE_URL")
	}
	if versionEnd.MatchString(base) {
		return base, nil
	}
	return base + "/api/v1", nil
}
