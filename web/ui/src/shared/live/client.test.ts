import { beforeEach, expect, test } from 'vitest'
import { closeCode } from './frames'
import { LiveClient, type LiveStatus, type Position, type Socket } from './client'

class FakeSocket implements Socket {
  sent: Record<string, unknown>[] = []
  closedWith: number | undefined | null = null
  onopen: (() => void) | null = null
  onmessage: ((text: string) => void) | null = null
  onclose: ((code: number) => void) | null = null
  send(text: string) {
    this.sent.push(JSON.parse(text) as Record<string, unknown>)
  }
  close(code?: number) {
    this.closedWith = code
  }
  say(frame: object) {
    this.onmessage?.(JSON.stringify(frame))
  }
}

/** A world with its own time. */
class World {
  time = 0
  timers: { at: number; f: () => void; id: number }[] = []
  sockets: FakeSocket[] = []
  events: number[] = []
  statuses: LiveStatus[] = []
  welcomes: { head: number; had: number; events: number }[] = []
  states = 0
  refused = 0
  reason = ''
  snapshots: { resolve: (p: Position) => void; reject: (e: Error) => void }[] = []
  private next = 1

  client = new LiveClient(
    {
      open: () => {
        const s = new FakeSocket()
        this.sockets.push(s)
        return s
      },
      now: () => this.time,
      random: () => 0.5,
      setTimer: (f, ms) => {
        this.timers.push({ at: this.time + ms, f, id: this.next })
        return this.next++
      },
      clearTimer: (id) => {
        this.timers = this.timers.filter((t) => t.id !== id)
      },
    },
    {
      snapshot: () => new Promise((resolve, reject) => this.snapshots.push({ resolve, reject })),
      event: (e) => this.events.push(e.seq),
      state: () => this.states++,
      health: () => {},
      time: () => {},
      status: (s, reason) => {
        this.statuses.push(s)
        this.reason = reason ?? ''
      },
      welcome: (frame, had) => this.welcomes.push({ head: frame.head, had: had.seq, events: this.events.length }),
      refused: () => this.refused++,
    },
    { clientId: 'client-01' },
  )

  get socket(): FakeSocket {
    return this.sockets.at(-1)!
  }
  advance(ms: number) {
    const end = this.time + ms
    for (;;) {
      const due = this.timers.filter((t) => t.at <= end).sort((a, b) => a.at - b.at)[0]
      if (!due) break
      this.timers = this.timers.filter((t) => t !== due)
      this.time = due.at
      due.f()
    }
    this.time = end
  }
  event(seq: number) {
    this.socket.say({ type: 'event', seq, id: `e${seq}`, at: '', kind: 'alert.issued', subject: '1', payload: {} })
  }
  welcome(head: number, recovered: boolean, epoch = 'e1') {
    this.socket.onopen?.()
    this.socket.say({ type: 'welcome', epoch, head, head_id: `e${head}`, recovered, time: '2026-01-01T00:00:00Z' })
  }
  beat(head = 0) {
    this.socket.say({ type: 'hb', head, head_id: `e${head}`, time: '2026-01-01T00:00:00Z', health: { ok: true, parts: [] } })
  }
}

let w: World
beforeEach(() => {
  w = new World()
})
const settle = () => new Promise((r) => setTimeout(r, 0))

test('says where it stands, takes what it missed in order, and acknowledges the newest once', () => {
  w.client.start({ epoch: 'e1', seq: 7, id: 'e7' })
  w.welcome(9, true)
  expect(w.socket.sent[0]).toEqual({ type: 'hello', client: 'client-01', epoch: 'e1', last_seq: 7, last_id: 'e7' })
  expect(w.client.status).toBe('live')
  w.event(8)
  w.event(9)
  w.event(9) // a repeat is not an event
  w.event(8)
  expect(w.events).toEqual([8, 9])
  w.advance(250)
  expect(w.socket.sent.slice(1)).toEqual([{ type: 'ack', seq: 9 }])
})

test('is not live before a snapshot that it was told to take, and holds events back meanwhile', async () => {
  w.client.start()
  w.welcome(20, false)
  expect(w.client.status).toBe('syncing')
  w.event(21)
  w.event(22)
  expect(w.events).toEqual([])
  w.snapshots[0]!.resolve({ epoch: 'e1', seq: 21, id: 'e21' })
  await settle()
  expect(w.client.status).toBe('live')
  expect(w.events).toEqual([22])
  expect(w.client.position).toEqual({ epoch: 'e1', seq: 22, id: 'e22' })
})

test('a snapshot behind the welcome leaves a hole: it comes back and asks for a replay from there', async () => {
  w.client.start()
  w.welcome(20, false)
  w.snapshots[0]!.resolve({ epoch: 'e1', seq: 18, id: 'e18' })
  await settle()
  expect(w.client.status).toBe('stale')
  w.advance(6000)
  w.welcome(20, true)
  expect(w.socket.sent[0]).toMatchObject({ epoch: 'e1', last_seq: 18, last_id: 'e18' })
  w.event(19)
  w.event(20)
  expect(w.events).toEqual([19, 20])
  expect(w.client.status).toBe('live')
})

test('a recovered welcome of another epoch is not believed', async () => {
  w.client.start({ epoch: 'old', seq: 7, id: 'e7' })
  w.welcome(3, true, 'new')
  expect(w.client.status).toBe('syncing')
  w.snapshots[0]!.resolve({ epoch: 'new', seq: 3, id: 'e3' })
  await settle()
  expect(w.client.position).toEqual({ epoch: 'new', seq: 3, id: 'e3' })
  w.event(4)
  expect(w.events).toEqual([4])
})

test('a snapshot that fails is tried again with the next connection', async () => {
  w.client.start()
  w.welcome(1, false)
  w.snapshots[0]!.reject(new Error('away'))
  await settle()
  expect(w.client.status).toBe('stale')
  w.advance(6000)
  expect(w.sockets).toHaveLength(2)
})

test('two missed heartbeats are stale, and the connection is made again', () => {
  w.client.start({ epoch: 'e1', seq: 1, id: 'e1' })
  w.welcome(1, true)
  w.beat()
  w.advance(15_000)
  expect(w.client.status).toBe('live')
  w.beat()
  w.advance(21_900)
  expect(w.client.status).toBe('live')
  w.advance(200)
  expect(w.client.status).toBe('stale')
  w.advance(2_800)
  expect(w.sockets).toHaveLength(2)
})

test('events without heartbeats do not count as a pulse', () => {
  w.client.start({ epoch: 'e1', seq: 1, id: 'e1' })
  w.welcome(1, true)
  for (let i = 0; i < 5; i++) {
    w.advance(5_000)
    w.event(2 + i)
  }
  expect(w.client.status).toBe('stale')
})

test('reconnects with jitter, at once when told to resume, and not at once twice in a row', () => {
  w.client.start({ epoch: 'e1', seq: 1, id: 'e1' })
  w.welcome(1, true)
  w.socket.onclose?.(1006)
  w.advance(2_700)
  expect(w.sockets).toHaveLength(1)
  w.advance(100) // 250 + 0.5 × 5000
  expect(w.sockets).toHaveLength(2)
  w.welcome(1, true)
  w.socket.onclose?.(4100)
  w.advance(0)
  expect(w.sockets).toHaveLength(3)
  w.welcome(1, true)
  w.socket.onclose?.(4100)
  w.advance(0)
  expect(w.sockets).toHaveLength(3)
  w.advance(3_000)
  expect(w.sockets).toHaveLength(4)
})

test('a changed scope is read anew from the beginning', () => {
  w.client.start({ epoch: 'e1', seq: 5, id: 'e5' })
  w.welcome(5, true)
  w.socket.onclose?.(4003)
  w.advance(0)
  w.socket.onopen?.()
  expect(w.socket.sent[0]).toMatchObject({ epoch: '', last_seq: 0, last_id: '' })
})

test.each([
  [4001, 'session'],
  [4000, 'protocol'],
])('close %i ends it', (code, reason) => {
  w.client.start({ epoch: 'e1', seq: 1, id: 'e1' })
  w.welcome(1, true)
  w.socket.onclose?.(code)
  w.advance(60_000)
  expect(w.client.status).toBe('ended')
  expect(w.reason).toBe(reason)
  expect(w.sockets).toHaveLength(1)
})

test('no welcome within ten seconds is a lost connection', () => {
  w.client.start()
  w.socket.onopen?.()
  w.advance(10_000)
  expect(w.socket.closedWith).not.toBeNull()
  w.advance(3_000)
  expect(w.sockets).toHaveLength(2)
})

test('garbage changes nothing, and a socket of the past is not heard', () => {
  w.client.start({ epoch: 'e1', seq: 1, id: 'e1' })
  w.welcome(1, true)
  for (const text of ['', 'nul', '[]', '{"type":"event","seq":"2"}', '{"type":"event","seq":-1,"kind":"x"}', '{"type":"new"}']) {
    w.socket.onmessage?.(text)
  }
  const old = w.socket
  const say = old.onmessage
  old.onclose?.(1006)
  say?.('{"type":"event","seq":2,"kind":"alert.issued"}')
  expect(w.events).toEqual([])
})

test('a connection that a proxy keeps without an answer counts as refused; one that is open and slow does not', () => {
  w.client.start()
  w.advance(10_000)
  expect(w.refused).toBe(1)
  w.advance(5_000)
  w.socket.onopen?.()
  w.advance(10_000)
  expect(w.refused).toBe(1)
})

test('a refused connection asks whether the session lives; a poke does not wait for the timer', () => {
  w.client.start()
  w.socket.onclose?.(1006)
  expect(w.refused).toBe(1)
  expect(w.client.status).toBe('connecting')
  w.client.poke()
  expect(w.sockets).toHaveLength(2)
  w.advance(0)
  expect(w.sockets).toHaveLength(2)
})

test('a network that went away is not waited for', () => {
  w.client.start({ epoch: 'e1', seq: 1, id: 'e1' })
  w.welcome(1, true)
  w.client.doubt()
  expect(w.client.status).toBe('stale')
  w.client.poke()
  expect(w.sockets).toHaveLength(2)
  w.welcome(2, true)
  w.event(2)
  expect(w.events).toEqual([2])
  expect(w.client.status).toBe('live')
})

test('a welcome tells where the client stood, before what it missed', () => {
  w.client.start({ epoch: 'e1', seq: 3, id: 'e3' })
  w.welcome(5, true)
  w.event(4)
  expect(w.welcomes).toEqual([{ head: 5, had: 3, events: 0 }])
})

test('says what the page can do after each welcome, and changes at most twice a second', () => {
  const page = { sound: 'off' as const, visible: true, alert: 0, acting: false }
  const said = () => w.socket.sent.filter((f) => f.type === 'status').map(({ sound, alert }) => `${sound} ${alert}`)
  w.client.say(page)
  w.client.start({ epoch: 'e1', seq: 5, id: 'e5' })
  expect(said()).toEqual([])
  w.welcome(5, true)
  expect(said()).toEqual(['off 0'])
  w.client.say({ ...page })
  w.client.say({ ...page, alert: 7 })
  w.client.say({ ...page, sound: 'armed', alert: 8 })
  expect(said()).toEqual(['off 0'])
  w.advance(500)
  expect(said()).toEqual(['off 0', 'armed 8'])
  w.advance(5000)
  expect(said()).toEqual(['off 0', 'armed 8'])
  w.socket.onclose?.(closeCode.goingAway)
  w.advance(10_000)
  w.welcome(5, true)
  expect(said()).toEqual(['armed 8'])
})
