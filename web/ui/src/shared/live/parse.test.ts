// parseFrame against docs/push-protocol.schema.json: each type of frame of the server is read, and what lacks a member that
// the page stands on is not.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { anEvent, aState, at } from '@/shared/testing/fixtures'
import { closeCode, parseFrame } from './frames'

interface Definition {
  properties?: { type?: { const?: string } }
  oneOf?: { $ref: string }[]
}
const docs = join(__dirname, '../../../../../docs')
const { $defs } = JSON.parse(readFileSync(join(docs, 'push-protocol.schema.json'), 'utf8')) as { $defs: Record<string, Definition> }

const frames: Record<string, Record<string, unknown>> = {
  welcome: { type: 'welcome', epoch: 'e', head: 3, head_id: 'i', recovered: true, state: false, time: at(0) },
  event: { ...anEvent(3, 'rule.changed', { id: 7 }) },
  state: { ...aState({ batch: 2 }) },
  tiles: { type: 'tiles', at: at(0), all: false, layers: [{ layer: 'land', ranges: [[8, 1, 1, 2, 2]] }] },
  hb: { type: 'hb', head: 3, head_id: 'i', time: at(0), health: { ok: true, parts: [] } },
  clients: { type: 'clients', divisions: { 370602: 1 }, armed: {} },
  viewers: { type: 'viewers', alerts: [{ alert: 58, people: [{ user: 'u', name: 'n', division: '370602', acting: false }] }] },
}
const parse = (frame: unknown) => parseFrame(JSON.stringify(frame))

test('the page reads every type of frame that the schema has for the server', () => {
  const types = $defs.ServerFrame!.oneOf!.map(({ $ref }) => $defs[$ref.split('/').at(-1)!]!.properties!.type!.const!)
  expect(Object.keys(frames).sort()).toEqual(types.sort())
  for (const [type, frame] of Object.entries(frames)) expect(parse(frame), type).not.toBeNull()
})

test.each([
  ['welcome', ['epoch', 'head', 'recovered']],
  ['event', ['seq', 'id', 'kind']],
  ['state', ['batch']],
  ['hb', ['head', 'health']],
  ['clients', ['divisions']],
  ['viewers', ['alerts']],
])('a %s without what the page stands on is none', (type, members) => {
  for (const member of members) {
    const rest = { ...frames[type] }
    delete rest[member]
    expect(parse(rest), member).toBeNull()
    if (type !== 'viewers') expect(parse({ ...rest, [member]: [[]] }), member).toBeNull() // of viewers what cannot be read is left out
  }
})

test('a number that a reader cannot keep exactly is no seq', () => {
  for (const seq of [-1, 1.5, 2 ** 53, '3', null]) expect(parse({ ...frames.event, seq }), String(seq)).toBeNull()
  expect(parse({ ...frames.event, seq: 2 ** 53 - 1 })).not.toBeNull()
})

test('members of a newer server are passed over, and so are its types', () => {
  expect(parse({ ...frames.event, later: 1 })).toMatchObject({ seq: 3 })
  expect(parse({ type: 'later' })).toBeNull()
  expect(parseFrame('{"type":"event"')).toBeNull()
})

test('the close codes are those of the document', () => {
  const doc = readFileSync(join(docs, 'push-protocol.md'), 'utf8')
  const rows = [...doc.matchAll(/^\| (4\d{3}) \|/gm)].map((m) => Number(m[1]))
  expect(Object.values(closeCode).sort()).toEqual(rows.sort())
})
