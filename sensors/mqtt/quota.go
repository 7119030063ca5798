package mqtt

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"onemap/internal/fault"
	"onemap/sensors"
)

// quotas are what each device may still send, beyond its connections, so that none begins anew by connecting again.
type quotas struct {
	mu sync.Mutex
	m  map[string]*rate.Limiter
}

// of returns the device's quota of readings a minute. Those that are whole again are forgotten when there are many.
func (q *quotas) of(device string, perMinute int, now time.Time) *rate.Limiter {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.m[device]
	if l == nil {
		if len(q.m) >= maxRemembered {
			for id, other := range q.m {
				if other.TokensAt(now) >= float64(perMinute) {
					delete(q.m, id)
				}
			}
		}
		if q.m == nil {
			q.m = map[string]*rate.Limiter{}
		}
		l = rate.NewLimiter(rate.Limit(float64(perMinute)/60), perMinute)
		q.m[device] = l
	}
	return l
}

// withinQuota waits until the device may send so many readings, and with it the reading of this one connection; false
// when the connection ends first. A publish of more than a minute's quota waits for a whole one.
func (s *session) withinQuota(readings int) bool {
	quota := s.b.opts.Quota
	if quota <= 0 || readings == 0 {
		return true
	}
	now := s.b.clock()
	share := s.b.quotas.of(s.device, quota, now).ReserveN(now, min(readings, quota))
	wait := share.DelayFrom(now)
	if wait <= 0 {
		return true
	}
	s.b.metrics.paused.Inc()
	s.b.abuse.report(sensors.TroubleQuota, s.device, s.conn, fault.NewMessage(CodeOverQuota, quota))
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.conn.ctx.Done():
		share.CancelAt(s.b.clock()) // it is sent again
		return false
	}
}
