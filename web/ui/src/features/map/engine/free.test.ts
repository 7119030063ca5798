import { expect, test } from 'vitest'
import { freeBox, wayOut, type Box } from './free'

const box = (left: number, top: number, right: number, bottom: number): Box => ({ left, top, right, bottom })
const layers = box(8, 8, 308, 700)
const alerts = box(998, 8, 1358, 700)
const card = box(610, 8, 990, 500)

test('is what the panels leave', () => {
  expect(freeBox(1366, 720, [])).toEqual(box(0, 0, 1366, 720))
  expect(freeBox(1366, 720, [layers, alerts])).toEqual(box(308, 0, 998, 720))
  expect(freeBox(1366, 720, [layers, alerts, card])).toEqual(box(308, 0, 610, 720))
})

test('is below a card that leaves nothing beside it, and the whole map where nothing is left', () => {
  expect(freeBox(1024, 720, [box(8, 8, 308, 700), box(656, 8, 1016, 700), box(316, 8, 648, 360)])).toEqual(box(308, 360, 656, 720))
  expect(freeBox(390, 720, [box(0, 0, 390, 700)])).toEqual(box(0, 0, 390, 720))
})

test('covers that reach over the edge count to the edge', () => {
  expect(freeBox(1000, 500, [box(-50, -50, 400, 900)])).toEqual(box(400, 0, 1000, 500))
})

test('a point in the open stays, one under a cover comes out', () => {
  const covers = [layers, alerts, card]
  expect(wayOut({ x: 450, y: 300 }, 1366, 720, covers)).toEqual([0, 0])
  for (const at of [{ x: 800, y: 200 }, { x: 100, y: 100 }, { x: 1200, y: 600 }, { x: 600, y: 719 }, { x: 620, y: 505 }]) {
    const [dx, dy] = wayOut(at, 1366, 720, covers)
    const there = { x: at.x + dx, y: at.y + dy }
    expect(wayOut(there, 1366, 720, covers)).toEqual([0, 0])
  }
})
