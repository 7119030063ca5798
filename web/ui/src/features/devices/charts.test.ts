import { createPinia, setActivePinia } from 'pinia'
import { expect, test } from 'vitest'
import { useCharts } from './charts'

test('a chart is drawn once, in the best of the places that want it', () => {
  setActivePinia(createPinia())
  const charts = useCharts()
  charts.add('7:6', 'device')
  expect(charts.drawnAt('7:6')).toBe('device')
  charts.add('7:6', 'drawer')
  charts.add('7:24', 'alert')
  expect(charts.drawnAt('7:6')).toBe('drawer')
  charts.remove('7:6', 'drawer')
  charts.remove('7:6', 'drawer') // twice is once
  expect(charts.drawnAt('7:6')).toBe('device')
  charts.remove('7:6', 'device')
  expect(charts.drawnAt('7:6')).toBeUndefined()
})
