import { expect, test } from 'vitest'
import { parseFrame } from './frames'

const everything = { type: 'tiles', all: true, layers: [] }
const parse = (frame: unknown) => parseFrame(JSON.stringify(frame))

test('reads which tiles changed', () => {
  const ranges = [[8, 212, 97, 213, 97], [0, 0, 0, 0, 0]]
  expect(parse({ type: 'tiles', at: '2026-01-01T00:00:00Z', all: false, layers: [{ layer: 'hazard_zone', ranges }, { layer: 'land', all: true }] })).toEqual({
    type: 'tiles',
    all: false,
    layers: [{ layer: 'hazard_zone', ranges }, { layer: 'land', ranges: null }],
  })
  expect(parse({ type: 'tiles', layers: [] })).toEqual({ type: 'tiles', all: false, layers: [] })
  expect(parse({ type: 'tiles', all: true })).toEqual(everything)
  expect(parse({ type: 'tiles', all: true, layers: 'x' })).toEqual(everything)
})

test.each([
  [{}],
  [{ all: 'yes', layers: [] }],
  [{ all: false }],
  [{ all: false, layers: {} }],
  [{ layers: [null] }],
  [{ layers: [{ ranges: [] }] }],
  [{ layers: [{ layer: 7, all: true }] }],
  [{ layers: [{ layer: '', all: true }] }],
  [{ layers: [{ layer: 'land' }] }],
  [{ layers: [{ layer: 'land', all: false }] }],
  [{ layers: [{ layer: 'land', ranges: {} }] }],
  [{ layers: [{ layer: 'land', ranges: [[8, 0, 0, 1]] }] }],
  [{ layers: [{ layer: 'land', ranges: [[8, 0, 0, 1, '1']] }] }],
  [{ layers: [{ layer: 'land', ranges: [[8, 2, 0, 1, 1]] }] }],
  [{ layers: [{ layer: 'land', ranges: [[8, 0, 0, 256, 1]] }] }],
  [{ layers: [{ layer: 'land', ranges: [[23, 0, 0, 1, 1]] }] }],
  [{ layers: [{ layer: 'land', ranges: [[8, 0.5, 0, 1, 1]] }] }],
  [{ layers: [{ layer: 'land', ranges: [[-1, 0, 0, 0, 0]] }] }],
  [{ layers: [{ layer: 'town', ranges: [] }, { layer: 'land', ranges: [[8, null, 0, 1, 1]] }] }],
])('a notice that cannot be read is not lost: everything is refreshed (%j)', (rest) => {
  expect(parse({ type: 'tiles', ...rest })).toEqual(everything)
})

test('what is no frame stays nothing', () => {
  for (const text of ['', '[]', '"tiles"', '{"type":"tile"}', '{"type":["tiles"]}']) expect(parseFrame(text)).toBeNull()
})

test('who is at which alert: what cannot be read of it is left out', () => {
  const parse = (alerts: unknown) => parseFrame(JSON.stringify({ type: 'viewers', alerts }))
  const a = { user: 'a', name: '甲', division: '370602', acting: true }
  expect(parse([{ alert: 5, people: [a, { name: 'x' }, null] }, { alert: 'x' }, 7])).toEqual({ type: 'viewers', alerts: [{ alert: 5, people: [a] }] })
  expect(parse(null)).toEqual({ type: 'viewers', alerts: [] })
  expect(parse('x')).toBeNull()
})
