import { expect, test } from 'vitest'
import { buildWatch, mayReload } from './version'

function memory() {
  const kept = new Map<string, string>()
  return { getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => void kept.set(key, value) }
}

test('a page reloads once for a build, and never in a loop', () => {
  const tab = memory()
  expect(mayReload('b2', tab)).toBe(true)
  expect(mayReload('b2', tab)).toBe(false)
  expect(mayReload('b2', tab)).toBe(false)
  expect(mayReload('b3', tab)).toBe(true) // another upgrade
  expect(mayReload('b3', tab)).toBe(false)
})

test('answers of nodes that are upgraded one by one do not make the banner come and go', () => {
  const seen = buildWatch('b1', 60_000)
  expect(seen('b1', 0)).toBe('')
  expect(['b2', 'b1', 'b2', 'b1', ''].map((build, i) => seen(build, i * 10_000))).toEqual(['b2', 'b2', 'b2', 'b2', 'b2'])
  expect(seen('b3', 50_000)).toBe('b3') // another upgrade
  expect(seen('b1', 100_000)).toBe('b3')
  expect(seen('b1', 111_000)).toBe('') // it was taken back
  expect(buildWatch('')('b2', 0)).toBe('') // in development pages have no build
})
