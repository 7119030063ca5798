import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, expect, test } from 'vitest'
import { useUi } from './ui'

beforeEach(() => setActivePinia(createPinia()))

test('the Escape key closes one thing at a time, the top one first, and says when there is none', () => {
  const ui = useUi()
  const steps: [open: () => void, isOpen: () => boolean][] = [
    [() => (ui.panels.drawer = true), () => ui.panels.drawer],
    [() => (ui.alertId = 7), () => ui.alertId !== null],
    [() => (ui.chosen = new Set([7])), () => ui.chosen !== null],
    [() => (ui.card = { kind: 'device', id: 'D1' }), () => ui.card !== null],
    [() => (ui.picks = []), () => ui.picks !== null],
    [() => (ui.measuring = true), () => ui.measuring],
    [() => (ui.searching = true), () => ui.searching],
    [() => (ui.help = true), () => ui.help],
    [() => (ui.sheet = true), () => ui.sheet],
  ]
  for (const [open] of steps) open()
  for (const [, isOpen] of steps.toReversed()) {
    expect(isOpen()).toBe(true)
    expect(ui.escape()).toBe(true)
    expect(isOpen()).toBe(false)
  }
  expect(ui.escape()).toBe(false)
})

test('the wall ends with the alert that its tour shows, before what lies below it', () => {
  const ui = useUi()
  ui.panels.drawer = true
  ui.alertId = 7
  ui.wall = true
  expect(ui.escape()).toBe(true)
  expect([ui.wall, ui.alertId, ui.panels.drawer]).toEqual([false, null, true])
})

test('an alert that is opened brings its panel; a card takes the place of a choice', () => {
  const ui = useUi()
  ui.panels.alerts = false
  ui.picks = []
  ui.openAlert(7)
  expect([ui.alertId, ui.panels.alerts, ui.picks]).toEqual([7, true, null])
  ui.panels.alerts = false
  ui.openAlert(null)
  expect([ui.alertId, ui.panels.alerts]).toEqual([null, false])
  ui.picks = []
  ui.openCard({ kind: 'device', id: 'D1' })
  expect([ui.picks, ui.selectedKey]).toEqual([null, 'device:D1'])
  ui.openCard(null)
  expect(ui.selectedKey).toBe('')
})

test('what is on paper is the preview or the print itself', () => {
  const ui = useUi()
  expect(ui.onPaper).toBe(false)
  ui.printing = true
  expect(ui.onPaper).toBe(true)
  ui.printing = false
  ui.sheet = true
  expect(ui.onPaper).toBe(true)
})
