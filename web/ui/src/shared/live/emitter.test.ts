import { expect, test } from 'vitest'
import { emitter } from './emitter'

test('calls the listeners of a name, in their order, until they end', () => {
  const { on, emit } = emitter<{ tiles: [string]; welcome: [number, number] }>()
  const heard: unknown[] = []
  const off = on('tiles', (layer) => heard.push(['first', layer]))
  on('tiles', (layer) => heard.push(['second', layer]))
  on('welcome', (...args) => heard.push(args))
  emit('tiles', 'road')
  off()
  emit('tiles', 'river')
  emit('welcome', 1, 2)
  expect(heard).toEqual([['first', 'road'], ['second', 'road'], ['second', 'river'], [1, 2]])
})

test('an event without listeners is no error', () => {
  expect(() => emitter<{ refused: [] }>().emit('refused')).not.toThrow()
})
