// Keeps the session of a page that is in use, says when it will end, and notices at once when it has.

import { useEventListener } from '@vueuse/core'
import { computed, onBeforeUnmount, watch } from 'vue'
import { setIdle } from '@/shared/api/client'
import type { Me } from '@/shared/api/types'
import { useNow } from '@/shared/time/clock'
import { exactTime } from '@/shared/format/format'
import { useLive } from '@/shared/live/live'
import { useSession } from '@/shared/session/session'
import { useWatch, type WatchProblem } from '@/shared/watch/watch'

const warnMs = 30 * 60_000
const refreshMs = 5 * 60_000
const retryMs = 10_000

/** How often a page in use asks who it is: every five minutes, or three times in what is left of a short session. */
export const refreshEvery = (me: Pick<Me, 'expires'>, at: number) => Math.min(refreshMs, Math.max(1000, (Date.parse(me.expires) - at) / 3))

/** The end that must be told of, in ms since the epoch: within half an hour, and not moved by the use of the page. */
export function endToTell(me: Pick<Me, 'expires' | 'ends'>, inUse: boolean, now: number): number | null {
  const ends = me.ends === null ? Infinity : Date.parse(me.ends)
  const end = inUse ? ends : Math.min(ends, Date.parse(me.expires))
  return end - now <= warnMs ? end : null
}

/** Typing goes on where it is: no dialog takes the keys away. */
const typing = () => document.activeElement?.matches('input, textarea, [contenteditable="true"]') ?? false

/** Watches the session. Called once, by WatchHost. */
export function useSessionWatch(): void {
  const state = useWatch()
  const session = useSession()
  const live = useLive()
  const now = useNow()
  let asked = 0

  const inUse = () => document.visibilityState === 'visible' || state.armed
  setIdle(() => !inUse())

  function ask() {
    asked = now.value
    void session.load(true).catch(() => undefined) // not reached: the feed says so
  }

  /** Whether it is time to ask the server: to keep the session, or to learn that it has ended, or is there again. */
  function due(me: Me): boolean {
    if (session.ended) return inUse() && now.value - asked >= retryMs // another tab may have logged in
    if (now.value >= Date.parse(me.expires)) return asked < Date.parse(me.expires) || now.value - asked >= retryMs
    return inUse() && now.value - Math.max(session.at, asked) >= refreshEvery(me, session.at)
  }

  const login: WatchProblem['action'] = { key: 'watch.login', run: () => (state.relogin = true) }
  const problem = computed<WatchProblem | null>(() => {
    const me = session.me
    if (!me) return null
    if (session.ended) return me.display ? { key: 'watch.display', severity: 'broken' } : { key: 'watch.session', severity: 'broken', action: login }
    const end = endToTell(me, inUse(), now.value)
    if (end === null) return null
    const n = Math.max(0, Math.ceil((end - now.value) / 60_000))
    return { key: 'watch.expiring', severity: 'warning', params: { time: exactTime(new Date(end).toISOString()).slice(11, 16), n }, action: login }
  })

  watch(problem, (next) => state.report('session', next), { immediate: true })
  watch(now, () => session.me && due(session.me) && ask())
  watch(
    () => session.ended,
    (ended) => {
      if (!ended) live.revive()
      state.relogin = ended && !session.me?.display && !typing()
    },
  )
  useEventListener(document, 'visibilitychange', () => document.visibilityState === 'visible' && session.me && ask())
  const offWelcome = live.on('welcome', ask)
  const offRefused = live.on('refused', () => now.value - asked >= retryMs && ask()) // it tries every few seconds
  onBeforeUnmount(() => {
    offWelcome()
    offRefused()
  })
}
