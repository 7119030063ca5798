// The alarm of a page as one pure function: from the open alerts and the state of this page it says what is in
// front, what sounds now, what is counted, and why this page cannot alarm. It has no timers and no browser: whoever
// runs it calls advance at every change and once a second.

import type { Alert, Level } from '@/shared/api/types'
import { rank, worst } from '@/shared/format/levels'
import { covers, type Coverage } from '../silences/inforce'

/** A ring is repeated after this, and faster once nobody has answered for patienceMs. */
export const repeatMs = 30_000
export const fastRepeatMs = 10_000
export const patienceMs = 120_000
export const snoozeMs = 120_000
/** What arrives so soon after a ring began is part of that ring: fifteen alerts are one siren. */
export const togetherMs = 4_000
/** A page that cannot do its work for this long is loud: a short break of the network is not. */
export const brokenAfterMs = 10_000

/** One sound. chime is the single short tone at the arrival of a yellow or blue alert. */
export type Tone = 'red' | 'broken' | 'orange' | 'chime'
/** What is repeated until it is answered. */
export type Voice = Exclude<Tone, 'chime'> | 'none'

/** armed: it will be heard. off: no gesture yet. suspended: the browser stopped it. failed: no audio device. */
export type SoundState = 'armed' | 'off' | 'suspended' | 'muted' | 'failed'

/** What a page knows about itself. */
export interface PageState {
  sound: SoundState
  visible: boolean
  /** The hidden page was stopped by the browser, or its timers came late. */
  throttled: boolean
  notify: 'granted' | 'default' | 'denied' | 'unsupported'
  /** The lock that keeps the screen on; unasked where it is not wanted. */
  awake: 'held' | 'refused' | 'unasked'
  /** The page's watchdog: feed, session or network is gone. */
  broken: boolean
}

/** Why this page cannot alarm, or not surely. */
export type Reason = 'broken' | 'off' | 'suspended' | 'muted' | 'failed' | 'throttled' | 'hidden' | 'asleep'

export interface Situation {
  alerts: readonly Alert[]
  /** The alerts are what the server has. Until then nothing is known, and nothing is news. */
  loaded: boolean
  /** The division of this page's account. */
  unit: string
  silences: readonly Coverage[]
  /** Milliseconds of the server's clock: silences begin and end by it. */
  now: number
  /** Milliseconds of a clock that never goes back: rings and snoozes are timed by it. */
  clock: number
  page: PageState
}

/** Why an alert is news: it began, got worse, its data came back, or it was found open (at the start, after a silence). */
export type NewsWhy = 'began' | 'rose' | 'returned' | 'open'
export interface News {
  alert: Alert
  why: NewsWhy
}

/** What the page remembers from one call to the next. */
export interface Memory {
  /** Every alert as last seen. */
  known: ReadonlyMap<number, { risen: string; level: Level }>
  /** Alerts that wait for an answer: the rise that was rung for, and since when. */
  waiting: ReadonlyMap<number, { risen: string; since: number }>
  /** Until when an alert is snoozed, by Situation.clock. */
  snoozes: ReadonlyMap<number, number>
  /** Until when the sound of a broken page is snoozed. */
  brokenSnooze: number
  brokenSince: number | null
  rang: { tone: Tone; at: number } | null
  sound: SoundState
  started: boolean
}

export interface AlarmState {
  /** The worst unanswered alert, of those of one level the newest by risen_at. */
  front: Alert | null
  /** Every unanswered alert in the same order; front is the first. */
  unanswered: Alert[]
  snoozed: Alert[]
  /** Covered by a silence; ids. */
  silenced: ReadonlySet<number>
  /** The worst unanswered level, 0 of none. */
  level: Level
  /** All active alerts by level (index), whatever is answered, silenced or filtered. */
  counts: [number, number, number, number, number]
  news: News[]
  voice: Voice
  /** The sound to make now; it is given once. */
  ring: Tone | null
  /** When the voice sounds next, by Situation.clock; null: it does not. */
  next: number | null
  cannot: Reason[]
}

/** What isUnanswered needs beside the alert. snoozed may hold ids of alerts that are snoozed now. */
export interface AnswerContext {
  unit: string
  silences: readonly Coverage[]
  now: number
  snoozed?: { has(id: number): boolean }
}

export const emptyMemory: Memory = {
  known: new Map(),
  waiting: new Map(),
  snoozes: new Map(),
  brokenSnooze: 0,
  brokenSince: null,
  rang: null,
  sound: 'off',
  started: false,
}

const active = (a: Alert) => a.detection !== 'cleared' && a.level > 0

/** The unit confirmed the alert at the level that it has, by any handling step. */
export function confirmedBy(a: Pick<Alert, 'confirmations'>, unit: string): boolean {
  return (a.confirmations ?? []).some((c) => c.current && c.division === unit)
}

export const isSilenced = (a: Alert, silences: readonly Coverage[], now: number) => silences.some((s) => covers(s, a, now))

/** Active, and nobody has dealt with it: not this unit at this level, no silence, no snooze, not resolved or closed. */
export function isUnanswered(a: Alert, c: AnswerContext): boolean {
  if (!active(a) || a.handling === 'resolved' || a.handling === 'closed') return false
  return !confirmedBy(a, c.unit) && !c.snoozed?.has(a.id) && !isSilenced(a, c.silences, c.now)
}

/** Worst first, then the newest rise, then the newest alert. */
export function byUrgency(a: Alert, b: Alert): number {
  return rank(a.level) - rank(b.level) || Date.parse(b.risen_at) - Date.parse(a.risen_at) || b.id - a.id
}

/** Snoozes these alerts, or with broken the sound of a page that cannot do its work. */
export function snooze(m: Memory, alerts: Iterable<Pick<Alert, 'id'>>, clock: number, broken = false): Memory {
  const snoozes = new Map(m.snoozes)
  for (const a of alerts) snoozes.set(a.id, clock + snoozeMs)
  return { ...m, snoozes, brokenSnooze: broken ? clock + snoozeMs : m.brokenSnooze }
}

/** Asks for these alerts anew: they are news again, and no longer snoozed. */
export function recall(m: Memory, ids: readonly number[]): Memory {
  const kept = <T>(of: ReadonlyMap<number, T>) => new Map([...of].filter(([id]) => !ids.includes(id)))
  return { ...m, waiting: kept(m.waiting), snoozes: kept(m.snoozes) }
}

/** Forgets what was heard, after a gap in what the page knows: everything unanswered is news again. */
export const forget = (m: Memory): Memory => ({ ...emptyMemory, sound: m.sound, brokenSince: m.brokenSince, brokenSnooze: m.brokenSnooze })

function whyNews(a: Alert, m: Memory): NewsWhy {
  if (!m.started) return 'open'
  const before = m.known.get(a.id)
  if (!before) return 'began'
  if (before.risen === a.risen_at) return 'open'
  return rank(a.level) < rank(before.level) || a.risen_from === 0 || rank(a.level) < rank(a.risen_from) ? 'rose' : 'returned'
}

function voiceOf(unanswered: Alert[], broken: boolean): Voice {
  const level = unanswered[0]?.level
  if (level === 1) return 'red'
  if (broken) return 'broken'
  return level === 2 ? 'orange' : 'none'
}

const loudness: Record<Tone | 'none', number> = { red: 4, broken: 3, orange: 2, chime: 1, none: 0 }

/** How long after a ring the next one is due. since is when the voice began to wait for an answer. */
function due(rangAt: number, since: number, voice: Voice): number {
  if (voice === 'broken') return rangAt + repeatMs
  return Math.min(rangAt + repeatMs, Math.max(since + patienceMs, rangAt + fastRepeatMs))
}

interface Ringing {
  ring: Tone | null
  next: number | null
  rang: Memory['rang']
}

/** Whether to ring now, and when next. again: whatever rang before, it is to be heard now. */
function ringing(voice: Voice, since: number, news: boolean, again: boolean, rang: Memory['rang'], clock: number): Ringing {
  const tone: Tone | null = voice !== 'none' ? voice : news ? 'chime' : null
  // Answered: the next ring is another one, however soon it comes. Chimes need no answer.
  if (!tone) return { ring: null, next: null, rang: rang?.tone === 'chime' ? rang : null }
  const louder = !rang || loudness[tone] > loudness[rang.tone]
  const apart = !rang || clock - rang.at >= togetherMs
  const repeat = voice !== 'none' && rang !== null && clock >= due(rang.at, since, voice)
  const now = louder || again || repeat || (news && apart)
  const last = now ? { tone, at: clock } : rang
  return { ring: now ? tone : null, next: voice === 'none' || !last ? null : due(last.at, since, voice), rang: last }
}

/** Why the page cannot alarm, the gravest first. */
export function cannotAlarm(p: PageState): Reason[] {
  const reasons: Reason[] = []
  if (p.broken) reasons.push('broken')
  if (p.sound !== 'armed') reasons.push(p.sound)
  if (p.throttled) reasons.push('throttled')
  if (!p.visible && p.notify !== 'granted') reasons.push('hidden')
  if (p.awake === 'refused') reasons.push('asleep')
  return reasons
}

interface Sorted {
  candidates: Alert[]
  silenced: Set<number>
  counts: AlarmState['counts']
}

function sort(s: Situation): Sorted {
  const context = { unit: s.unit, silences: s.silences, now: s.now }
  const out: Sorted = { candidates: [], silenced: new Set(), counts: [0, 0, 0, 0, 0] }
  for (const a of s.alerts) {
    if (!active(a)) continue
    out.counts[a.level]++
    if (isSilenced(a, s.silences, s.now)) out.silenced.add(a.id)
    else if (isUnanswered(a, context)) out.candidates.push(a)
  }
  out.candidates.sort(byUrgency)
  return out
}

/** What still waits, with the time since when; a new rise begins anew. */
function wait(candidates: Alert[], m: Memory, clock: number): Memory['waiting'] {
  return new Map(
    candidates.map((a) => {
      const before = m.waiting.get(a.id)
      return [a.id, before?.risen === a.risen_at ? before : { risen: a.risen_at, since: clock }]
    }),
  )
}

/** Since when the voice has waited for an answer: the longest wait of an alert of the worst level. */
function waitsSince(unanswered: Alert[], waiting: Memory['waiting'], clock: number): number {
  const level = unanswered[0]?.level
  return Math.min(clock, ...unanswered.filter((a) => a.level === level).map((a) => waiting.get(a.id)?.since ?? clock))
}

/** One step: what is remembered and what is, after this situation. */
export function advance(m: Memory, s: Situation): { memory: Memory; state: AlarmState } {
  const { candidates, silenced, counts } = sort(s)
  const news = s.loaded ? candidates.filter((a) => m.waiting.get(a.id)?.risen !== a.risen_at).map((alert) => ({ alert, why: whyNews(alert, m) })) : []
  const waiting = wait(s.loaded ? candidates : [], m, s.clock)
  const ended = news.some((n) => n.why !== 'open')
  const snoozes = new Map([...m.snoozes].filter(([id, until]) => !ended && until > s.clock && waiting.has(id)))
  const woke = candidates.some((a) => m.snoozes.has(a.id) && !snoozes.has(a.id))
  const unanswered = s.loaded ? candidates.filter((a) => !snoozes.has(a.id)) : []

  const brokenSince = s.page.broken ? (m.brokenSince ?? s.clock) : null
  const loud = brokenSince !== null && s.clock - brokenSince >= brokenAfterMs && s.clock >= m.brokenSnooze
  const voice = voiceOf(unanswered, loud)
  const heard = news.some((n) => !snoozes.has(n.alert.id))
  const armed = s.page.sound === 'armed' && m.sound !== 'armed'
  const { ring, next, rang } = ringing(voice, waitsSince(unanswered, waiting, s.clock), heard, woke || armed, m.rang, s.clock)

  const known = s.loaded ? new Map(s.alerts.map((a) => [a.id, { risen: a.risen_at, level: a.level }])) : m.known
  return {
    memory: { known, waiting, snoozes, brokenSnooze: m.brokenSnooze, brokenSince, rang, sound: s.page.sound, started: m.started || s.loaded },
    state: {
      front: unanswered[0] ?? null,
      unanswered,
      snoozed: candidates.filter((a) => snoozes.has(a.id)),
      silenced,
      level: worst(unanswered.map((a) => a.level)),
      counts,
      news,
      voice,
      ring,
      next,
      cannot: cannotAlarm(s.page),
    },
  }
}
