import { expect, test } from 'vitest'
import type { Alert, Level } from '@/shared/api/types'
import { advance, byUrgency, cannotAlarm, confirmedBy, emptyMemory, forget, isUnanswered, recall, snooze, type AlarmState, type Memory, type PageState } from './machine'
import type { Coverage } from '../silences/inforce'

const unit = '370602'
const start = Date.parse('2026-11-28T03:00:00Z')
const calm: PageState = { sound: 'armed', visible: true, throttled: false, notify: 'granted', awake: 'held', broken: false }

/** A page with its alerts, its clock and what it remembers. */
class Page {
  readonly alerts = new Map<number, Alert>()
  silences: Coverage[] = []
  clock = 1000
  page: PageState = { ...calm }
  loaded = true
  memory: Memory = emptyMemory
  state!: AlarmState
  readonly rings: string[] = []

  time = () => new Date(start + this.clock).toISOString()

  put(id: number, change: Partial<Alert>) {
    const before = this.alerts.get(id)
    const base = { id, detection: 'firing', handling: 'new', division: unit, device_id: `d${id}`, property: 'water_level', confirmations: [], risen_at: this.time(), risen_from: 0 }
    this.alerts.set(id, { ...base, ...before, ...change } as Alert)
  }
  begin = (id: number, level: Level) => this.put(id, { level })
  rise(id: number, level: Level) {
    const a = this.alerts.get(id)!
    this.put(id, { level, risen_at: this.time(), risen_from: a.level, handling: 'new', confirmations: (a.confirmations ?? []).map((c) => ({ ...c, current: false })) })
  }
  back(id: number) {
    const a = this.alerts.get(id)!
    this.put(id, { detection: 'firing', risen_at: this.time(), risen_from: a.level, handling: 'new', confirmations: (a.confirmations ?? []).map((c) => ({ ...c, current: false })) })
  }
  confirm(id: number, division = unit) {
    const a = this.alerts.get(id)!
    const mark = { division, user: 'u', name: 'u', level: a.level, at: this.time(), current: true }
    this.put(id, { handling: a.handling === 'new' ? 'acknowledged' : a.handling, confirmations: [...(a.confirmations ?? []).filter((c) => c.division !== division), mark] })
  }
  silence(level: Level, ends = 3_600_000) {
    this.silences = [{ id: 1, device_id: '', type: 'water_level', division: '', level, starts: this.time(), ends: new Date(start + this.clock + ends).toISOString() }]
  }
  snoozeFront() {
    if (this.state.front) this.memory = snooze(this.memory, [this.state.front], this.clock)
  }
  step(): AlarmState {
    const { memory, state } = advance(this.memory, { alerts: [...this.alerts.values()], loaded: this.loaded, unit, silences: this.silences, now: start + this.clock, clock: this.clock, page: this.page })
    this.memory = memory
    this.state = state
    if (state.ring) this.rings.push(`${this.clock / 1000}:${state.ring}`)
    return state
  }
  /** Lets seconds go by, a step each. */
  pass(seconds: number) {
    for (let i = 0; i < seconds; i++) {
      this.clock += 1000
      this.step()
    }
  }
}

const S = 1 // what is on the screen
const N = 2 // what is new

const screens: Record<string, (p: Page) => void> = {
  nothing: () => undefined,
  blue: (p) => p.begin(S, 4),
  yellow: (p) => p.begin(S, 3),
  orange: (p) => p.begin(S, 2),
  red: (p) => p.begin(S, 1),
  'red stale': (p) => p.put(S, { level: 1, detection: 'stale' }),
  'red recovering': (p) => p.put(S, { level: 1, detection: 'recovering' }),
  'red snoozed': (p) => {
    p.begin(S, 1)
    p.step()
    p.snoozeFront()
  },
  'red confirmed': (p) => {
    p.begin(S, 1)
    p.confirm(S)
  },
  'red confirmed by the city': (p) => {
    p.begin(S, 1)
    p.confirm(S, '3706')
  },
  'red resolved': (p) => p.put(S, { level: 1, handling: 'resolved' }),
  'orange confirmed': (p) => {
    p.begin(S, 2)
    p.confirm(S)
  },
  'orange silenced': (p) => {
    p.silence(2)
    p.begin(S, 2)
  },
}

const has = (p: Page) => p.alerts.has(S)
const events: Record<string, (p: Page) => void> = {
  'new blue': (p) => p.begin(N, 4),
  'new yellow': (p) => p.begin(N, 3),
  'new orange': (p) => p.begin(N, 2),
  'new red': (p) => p.begin(N, 1),
  'rises to red': (p) => has(p) && p.rise(S, 1),
  'falls to yellow': (p) => has(p) && p.put(S, { level: 3, detection: 'recovering' }),
  'falls to blue': (p) => has(p) && p.put(S, { level: 4, detection: 'recovering' }),
  clears: (p) => has(p) && p.put(S, { detection: 'cleared' }),
  'goes stale': (p) => has(p) && p.put(S, { detection: 'stale' }),
  'data back': (p) => has(p) && p.back(S),
  'we confirm': (p) => has(p) && p.confirm(S),
  'others confirm': (p) => has(p) && p.confirm(S, '370611'),
  'others resolve': (p) => has(p) && p.put(S, { handling: 'resolved' }),
  snooze: (p) => p.snoozeFront(),
  'silence of red': (p) => p.silence(1),
  'silence ends': (p) => (p.silences = []),
  gap: (p) => (p.memory = forget(p.memory)),
  reload: (p) => (p.memory = emptyMemory),
  'sound armed anew': (p) => (p.memory = { ...p.memory, sound: 'suspended' }),
  'nothing new': () => undefined,
}

/** In front (S, N or -) and what sounds at once (R red, O orange, c chime, or .), by screen and event. */
const table = `
 0 new blue
 1 new yellow
 2 new orange
 3 new red
 4 rises to red
 5 falls to yellow
 6 falls to blue
 7 clears
 8 goes stale
 9 data back
10 we confirm
11 others confirm
12 others resolve
13 snooze
14 silence of red
15 silence ends
16 gap
17 reload
18 sound armed anew
19 nothing new
nothing                   | Nc Nc NO NR -. -. -. -. -. -. -. -. -. -. -. -. -. -. -. -.
blue                      | Nc Nc NO NR SR S. S. -. S. Sc -. S. -. -. -. S. Sc Sc S. S.
yellow                    | Sc Nc NO NR SR S. S. -. S. Sc -. S. -. -. -. S. Sc Sc S. S.
orange                    | SO SO NO NR SR S. S. -. S. SO -. S. -. -. -. S. SO SO SO S.
red                       | SR SR SR NR SR S. S. -. S. SR -. S. -. -. -. S. SR SR SR S.
red stale                 | SR SR SR NR SR S. S. -. S. SR -. S. -. -. -. S. SR SR SR S.
red recovering            | SR SR SR NR SR S. S. -. S. SR -. S. -. -. -. S. SR SR SR S.
red snoozed               | SR SR SR NR SR -. -. -. -. SR -. -. -. -. -. -. SR SR -. -.
red confirmed             | Nc Nc NO NR SR -. -. -. -. SR -. -. -. -. -. -. -. -. -. -.
red confirmed by the city | SR SR SR NR SR S. S. -. S. SR -. S. -. -. -. S. SR SR SR S.
red resolved              | Nc Nc NO NR SR -. -. -. -. SR -. -. -. -. -. -. -. -. -. -.
orange confirmed          | Nc Nc NO NR SR -. -. -. -. SO -. -. -. -. -. -. -. -. -. -.
orange silenced           | -. -. -. NR SR -. -. -. -. -. -. -. -. -. -. SO -. -. -. -.`

const marks = { red: 'R', orange: 'O', chime: 'c', broken: 'b' }

const short = (p: Page) => {
  const front = p.state.front ? (p.state.front.id === S ? 'S' : 'N') : '-'
  return front + (p.state.ring ? marks[p.state.ring] : '.')
}

/** 20 s after the screen stood as it does, the event. */
function play(screen: string, event: string): Page {
  const p = new Page()
  p.step()
  p.clock += 1000
  screens[screen]!(p)
  p.step()
  p.pass(20)
  events[event]!(p)
  p.step()
  return p
}

test('every pair of what is on the screen and what happens', () => {
  const rows = Object.keys(screens).map((screen) => `${screen.padEnd(26)}| ${Object.keys(events).map((event) => short(play(screen, event))).join(' ')}`)
  const head = Object.keys(events).map((event, i) => `${String(i).padStart(2)} ${event}`)
  expect(`\n${head.join('\n')}\n${rows.join('\n')}`).toBe(table)
})

test('red repeats every 30 s, after two minutes every 10 s; orange the same; yellow and blue sound once', () => {
  const times = { 1: 'red', 2: 'orange', 3: 'chime', 4: 'chime' } as const
  for (const level of [1, 2, 3, 4] as const) {
    const p = new Page()
    p.step()
    p.begin(S, level)
    p.step()
    p.pass(160)
    const want = level > 2 ? [1] : [1, 31, 61, 91, 121, 131, 141, 151, 161]
    expect(p.rings).toEqual(want.map((at) => `${at}:${times[level]}`))
    expect(p.state.next).toBe(level > 2 ? null : 171_000)
  }
})

test('a page that wakes late rings once, not once for each repeat that it slept through', () => {
  const p = new Page()
  p.begin(S, 1)
  p.step()
  p.clock += 3_600_000
  p.step()
  expect(p.rings).toEqual(['1:red', '3601:red'])
})

test('fifteen reds in a second are one siren, and the next red after it rings', () => {
  const p = new Page()
  p.step()
  for (let i = 0; i < 15; i++) {
    p.clock += 66
    p.begin(10 + i, 1)
    p.step()
  }
  expect(p.rings).toHaveLength(1)
  expect(p.state.front?.id).toBe(24)
  expect(p.state.unanswered).toHaveLength(15)
  p.pass(6)
  p.begin(40, 1)
  p.step()
  expect(p.rings).toHaveLength(2)
})

test('a red in the second after a milder one rings as red', () => {
  for (const level of [2, 3, 4] as const) {
    const p = new Page()
    p.step()
    p.begin(S, level)
    p.step()
    p.clock += 100
    p.begin(N, 1)
    p.step()
    expect(p.rings.at(-1)).toBe('1.1:red')
    expect(p.state.front?.id).toBe(N)
  }
})

test('an answer ends the siren; the red that begins just after it rings', () => {
  const p = new Page()
  p.begin(S, 1)
  p.step()
  p.clock += 500
  p.confirm(S)
  expect(p.step()).toMatchObject({ voice: 'none', next: null, front: null })
  p.clock += 500
  p.begin(N, 1)
  expect(p.step().ring).toBe('red')
})

test('a snooze ends after two minutes, or with the next rise or beginning of any alert, and then rings', () => {
  const snoozed = () => {
    const p = new Page()
    p.begin(S, 1)
    p.begin(N, 4)
    p.step()
    p.memory = snooze(p.memory, p.state.unanswered, p.clock)
    expect(p.step()).toMatchObject({ front: null, voice: 'none' })
    expect(p.state.snoozed.map((a) => a.id)).toEqual([S, N])
    p.rings.length = 0
    return p
  }
  const over = snoozed()
  over.pass(119)
  expect(over.rings).toEqual([])
  over.pass(1)
  expect(over.rings).toEqual(['121:red'])
  for (const happens of [(p: Page) => p.rise(N, 3), (p: Page) => p.begin(3, 4), (p: Page) => p.back(S)]) {
    const p = snoozed()
    p.pass(5)
    happens(p)
    expect(p.step()).toMatchObject({ ring: 'red', front: { id: S } })
  }
  const fallen = snoozed()
  fallen.put(S, { level: 2, detection: 'recovering' })
  expect(fallen.step().front).toBeNull()
})

test('at the start everything unanswered is news at once; until the alerts are known nothing is', () => {
  const p = new Page()
  p.loaded = false
  expect(p.step()).toMatchObject({ ring: null, front: null, news: [] })
  p.loaded = true
  p.begin(S, 1)
  p.begin(N, 3)
  expect(p.step().news.map((n) => [n.alert.id, n.why])).toEqual([[S, 'open'], [N, 'open']])
  expect(p.state.ring).toBe('red')
})

test('news says why: began, rose, data came back', () => {
  const p = new Page()
  p.step()
  p.begin(S, 3)
  expect(p.step().news.map((n) => n.why)).toEqual(['began'])
  p.clock += 10_000
  p.rise(S, 2)
  expect(p.step().news.map((n) => n.why)).toEqual(['rose'])
  p.clock += 10_000
  p.put(S, { detection: 'stale' })
  expect(p.step().news).toEqual([])
  p.back(S)
  expect(p.step().news.map((n) => n.why)).toEqual(['returned'])
})

test('what is answered, silenced or cleared is counted by level all the same while it is active', () => {
  const p = new Page()
  p.begin(1, 1)
  p.confirm(1)
  p.silence(2)
  p.begin(2, 2)
  p.begin(3, 3)
  p.put(4, { level: 4, detection: 'cleared' })
  p.put(5, { level: 1, detection: 'stale', handling: 'closed' })
  const state = p.step()
  expect(state.counts).toEqual([0, 2, 1, 1, 0])
  expect([...state.silenced]).toEqual([2, 3])
  expect(state.unanswered).toEqual([])
})

test('a page that cannot work is loud after ten seconds, softer than a red and louder than an orange', () => {
  const p = new Page()
  p.step()
  p.page.broken = true
  p.step()
  p.pass(9)
  expect(p.rings).toEqual([])
  p.pass(1)
  expect(p.rings).toEqual(['11:broken'])
  p.pass(30)
  expect(p.rings).toEqual(['11:broken', '41:broken'])
  p.begin(S, 2)
  expect(p.step()).toMatchObject({ voice: 'broken', front: { id: S } })
  p.begin(N, 1)
  expect(p.step()).toMatchObject({ voice: 'red', ring: 'red' })
  p.page.broken = false
  p.confirm(N)
  expect(p.step().voice).toBe('orange')
})

test('a short break of the network makes no sound, and a snooze ends the sound of a long one for two minutes', () => {
  const p = new Page()
  p.step()
  p.page.broken = true
  p.pass(5)
  p.page.broken = false
  p.pass(20)
  expect(p.rings).toEqual([])
  p.page.broken = true
  p.pass(12)
  p.memory = snooze(p.memory, [], p.clock, true)
  p.rings.length = 0
  p.pass(119)
  expect(p.rings).toEqual([])
  p.pass(1)
  expect(p.rings).toHaveLength(1)
})

test('what the page cannot do is named, and an armed and visible page can alarm', () => {
  expect(cannotAlarm(calm)).toEqual([])
  expect(cannotAlarm({ ...calm, visible: false })).toEqual([])
  expect(cannotAlarm({ sound: 'suspended', visible: false, throttled: true, notify: 'default', awake: 'refused', broken: true })).toEqual(['broken', 'suspended', 'throttled', 'hidden', 'asleep'])
  for (const sound of ['off', 'suspended', 'muted', 'failed'] as const) expect(cannotAlarm({ ...calm, sound })).toEqual([sound])
})

/** Numbers from 0 to 1 that are the same in every run. */
function random(seed: number) {
  return () => {
    seed = (seed * 1664525 + 1013904223) >>> 0
    return seed / 2 ** 32
  }
}

const wordOf = (a: Alert | null) => (a ? `${a.id}/${a.level}` : '-')

/** One random thing happens to one of six alerts. */
function disturb(p: Page, next: () => number) {
  const pick = <T>(of: readonly T[]) => of[Math.floor(next() * of.length)]!
  const id = 1 + Math.floor(next() * 6)
  const a = p.alerts.get(id)
  if (next() >= 0.25) return
  if (!a || a.detection === 'cleared') return p.begin(id, pick([1, 2, 3, 4] as const))
  pick<() => void>([
    () => p.rise(id, Math.max(1, a.level - 1) as Level),
    () => p.put(id, { level: 4 }),
    () => p.confirm(id),
    () => p.confirm(id, '3706'),
    () => p.put(id, { detection: 'cleared' }),
    () => p.put(id, { handling: 'resolved' }),
    () => p.back(id),
    () => p.snoozeFront(),
    () => p.silence(pick([1, 2, 3] as const), 20_000),
  ])()
}

test('whatever happens: the worst and newest is in front, a red is never silent for longer than its repeat, and nothing rings without a cause', () => {
  const faults: string[] = []
  for (let seed = 1; seed <= 40; seed++) {
    const next = random(seed)
    const p = new Page()
    let rang = 0
    for (let i = 0; i < 300; i++) {
      p.clock += 1000
      disturb(p, next)
      const state = p.step()
      const say = (fault: string) => faults.push(`seed ${seed}, step ${i}: ${fault}`)
      const context = { unit, silences: p.silences, now: start + p.clock, snoozed: p.memory.snoozes }
      const want = [...p.alerts.values()].filter((a) => isUnanswered(a, context)).sort(byUrgency)
      if (state.unanswered.map(wordOf).join() !== want.map(wordOf).join()) say('unanswered')
      if (wordOf(state.front) !== wordOf(want[0] ?? null)) say('front')
      if (state.ring) rang = p.clock
      if (state.front?.level === 1 && p.clock - rang >= 30_000) say('a red is silent')
      if (!state.front && state.ring) say('rings for nothing')
      if (state.news.some((n) => n.alert.level <= 2) && p.clock - rang >= 4_000) say('news is silent')
    }
  }
  expect(faults).toEqual([])
})

test('a confirmation is the unit\'s own and of the level that the alert has', () => {
  const mark = { division: unit, user: 'u', name: 'u', level: 4 as Level, at: '', current: true }
  expect(confirmedBy({ confirmations: [mark] }, unit)).toBe(true)
  expect(confirmedBy({ confirmations: [{ ...mark, current: false }] }, unit)).toBe(false)
  expect(confirmedBy({ confirmations: [mark] }, '3706')).toBe(false)
  expect(confirmedBy({ confirmations: [] }, unit)).toBe(false)
})

test('what is asked for again rings and comes to the front, though it was snoozed or waits already; what is answered does not', () => {
  for (const before of ['waits', 'snoozed', 'answered'] as const) {
    const p = new Page()
    p.begin(S, 2)
    p.step()
    if (before === 'snoozed') p.snoozeFront()
    if (before === 'answered') p.confirm(S)
    p.pass(8)
    p.rings.length = 0
    p.memory = recall(p.memory, [S])
    p.step()
    expect(p.rings, before).toEqual(before === 'answered' ? [] : ['9:orange'])
    expect(p.state.front?.id, before).toBe(before === 'answered' ? undefined : S)
  }
})

test('what is asked for again right after its rise rang is one ring', () => {
  const p = new Page()
  p.begin(S, 3)
  p.step()
  p.pass(8)
  p.rings.length = 0
  p.rise(S, 1)
  p.step()
  p.memory = recall(p.memory, [S])
  p.step()
  p.pass(1)
  expect(p.rings).toEqual(['9:red'])
})
