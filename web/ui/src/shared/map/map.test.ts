import { expect, test } from 'vitest'
import { createPinia, setActivePinia } from 'pinia'
import { useUi } from '@/shared/workspace/ui'
import { offerMap, useMap, type MapCommands, type Subject } from './map'

function fakeMap() {
  const done: unknown[] = []
  const map: MapCommands = {
    flyTo: (center, zoom) => done.push(['flyTo', center, zoom]),
    fit: (bounds, options) => done.push(['fit', bounds, options]),
    reveal: (subject: Subject) => done.push(['reveal', subject]),
    zoomBy: (step) => done.push(['zoomBy', step]),
    bounds: () => [1, 2, 3, 4],
    metresPerPixel: () => 5,
  }
  return { done, map }
}

test('commands go to the map that is open, and nowhere while there is none', () => {
  const map = useMap()
  map.flyTo([121, 37])
  expect(map.bounds()).toBeNull()
  expect(map.metresPerPixel()).toBe(0)
  const first = fakeMap()
  const second = fakeMap()
  const closeFirst = offerMap(first.map)
  map.flyTo([121, 37], 9)
  const closeSecond = offerMap(second.map)
  closeFirst() // the page that is left closes after the next one has opened
  map.fit([1, 2, 3, 4], { most: 11, whole: true })
  expect(map.metresPerPixel()).toBe(5)
  closeSecond()
  map.zoomBy(1)
  expect(first.done).toEqual([['flyTo', [121, 37], 9]])
  expect(second.done).toEqual([['fit', [1, 2, 3, 4], { most: 11, whole: true }]])
})

test('an alert that is opened is shown on the map, once', () => {
  setActivePinia(createPinia())
  const { done, map } = fakeMap()
  const close = offerMap(map)
  const ui = useUi()
  ui.openAlert(7)
  ui.openAlert(7)
  ui.openAlert(null)
  ui.openAlert(8)
  close()
  expect(done).toEqual([['reveal', { kind: 'alert', id: 7 }], ['reveal', { kind: 'alert', id: 8 }]])
})
