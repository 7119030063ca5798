import { expect, test } from 'vitest'
import { commonPosition, resumeFrom } from './live'

test('an earlier life goes on where it stood, unless the log is another or the place unknown to it', () => {
  const snapshot = { epoch: 'e1', seq: 9, id: 'e9' }
  expect(resumeFrom({ epoch: 'e1', seq: 4, id: 'e4' }, snapshot)).toEqual({ epoch: 'e1', seq: 4, id: 'e4' })
  expect(resumeFrom({ epoch: 'e0', seq: 4, id: 'e4' }, snapshot)).toEqual(snapshot)
  expect(resumeFrom({ epoch: 'e1', seq: 12, id: 'e12' }, snapshot)).toEqual(snapshot)
  expect(resumeFrom(undefined, snapshot)).toEqual(snapshot)
})

test('two snapshots hold together what the older one holds', () => {
  expect(commonPosition({ epoch: 'e', seq: 5, id: 'e5' }, { epoch: 'e', seq: 3, id: 'e3' })).toEqual({ epoch: 'e', seq: 3, id: 'e3' })
  expect(() => commonPosition({ epoch: 'e', seq: 5, id: 'e5' }, { epoch: 'e', seq: 5, id: 'x5' })).toThrow() // put back in between
  expect(() => commonPosition({ epoch: 'e', seq: 5, id: 'e5' }, { epoch: 'f', seq: 5, id: 'e5' })).toThrow()
})
