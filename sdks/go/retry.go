package openmiosa

import (
	"errors"
	"math"
	"math/rand/v2"
	"time"
)

const (
	firstWait   = 200 * time.Millisecond
	longestWait = 30 * time.Second
)

// repeats says whether a second arrival does harm.
type repeats struct {
	// repeatable says that it has no second effect: the method is safe, or the server remembers its answer by the Idempotency-Key.
	repeatable bool
	// afterFailure says that doing it once more is right when the server failed at it, as failures (5xx) it does not remember.
	afterFailure bool
}

// waitBefore says how long to wait before attempt number attempt+1, and false when the error is final.
func (t *transport) waitBefore(attempt int, failure error, allowed repeats) (time.Duration, bool) {
	if attempt > t.maxRetries || !worthIt(failure, allowed) {
		return 0, false
	}
	var answer *APIError
	if errors.As(failure, &answer) && answer.waits {
		return min(answer.RetryAfter, longestWait), true
	}
	// Jitter keeps clients that failed together from coming back together.
	wait := min(float64(t.firstWait)*math.Pow(2, float64(attempt-1)), float64(longestWait))
	return time.Duration(wait * (0.5 + rand.Float64()/2)), true
}

func worthIt(failure error, allowed repeats) bool {
	var answer *APIError
	if errors.As(failure, &answer) {
		// Before it starts anything the server answers 409 or 429; a 5xx may come after.
		return answer.Retry && ((allowed.repeatable && allowed.afterFailure) || answer.Status == 409 || answer.Status == 429)
	}
	var lost *TransportError
	if !errors.As(failure, &lost) || errors.Is(failure, ErrUnexpectedReply) {
		return false
	}
	return allowed.repeatable || !lost.Sent
}
