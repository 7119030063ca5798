import { expect, test } from 'vitest'
import { homeFor, safeNext } from './next'

const origin = 'http://127.0.0.1:8080'

test('a path of this origin is kept with its query and hash', () => {
  expect(safeNext('/admin/rules?x=1#a', origin)).toBe('/admin/rules?x=1#a')
  expect(safeNext('/', origin)).toBe('/')
})

test('anything that leads elsewhere is not followed', () => {
  for (const raw of ['//evil.example/', '/\\evil.example', '/\t/evil.example', 'https://evil.example/', 'javascript:alert(1)', 'admin', '', null, undefined, ['/a'], '/login', '/login?next=/']) {
    expect(safeNext(raw, origin), String(raw)).toBe('')
  }
})

test('only a responder on a narrow screen starts on the phone page', () => {
  expect(homeFor('county_responder', 390)).toBe('/m')
  expect(homeFor('county_responder', 1366)).toBe('/')
  expect(homeFor('city_commander', 390)).toBe('/')
})
