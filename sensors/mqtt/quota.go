package mqtt

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"onemap/internal/fault"
	"onemap/sensors"
)

// quotas limits the readings of each device per minute. It counts by device and not by connection, so that a new connection
// does not start a new quota.
type quotas struct {
	mu sync.Mutex
	m  map[string]*rate.Limiter
}

// of returns the limiter of the device. When there are many limiters, it removes those that are full again: a new one would
// be equal.
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

// withinQuota waits until the device may send this number of readings. Meanwhile this connection is not read. It returns
// false if the connection ends first. A publish that exceeds the quota of a whole minute waits for one minute's quota.
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
		share.CancelAt(s.b.clock()) // the device sends it again
		return false
	}
}
