// The hand-written wire shapes against those generated from docs/openapi.json: the compiler fails
// here when a member is added, renamed or gone on either side. Nothing of this file runs.

import type { LayerTileChange } from './endpoints'
import type { components } from './schema'
import type * as T from './types'

type S = components['schemas']
type Keys<X> = Exclude<keyof X, '$schema'>
/** The names of members that only one side has; never when they agree. */
type Difference<A, B> = Exclude<Keys<A>, Keys<B>> | Exclude<Keys<B>, Keys<A>>
type Agrees<A, B> = [Difference<A, B>] extends [never] ? true : Difference<A, B>

type Checks = {
  account: Agrees<T.Account, S['Account']>
  alert: Agrees<T.Alert, S['Alert']>
  alertConfirmation: Agrees<T.Confirmation, S['Confirmation']>
  alertReopened: Agrees<T.Reopened, S['Reopened']>
  alertDetail: Agrees<T.AlertDetail, S['AlertDetail']>
  alertList: Agrees<T.AlertSnapshot, S['AlertList']>
  assignee: Agrees<T.Assignee, S['Assignee']>
  audit: Agrees<T.Audit, S['Audit']>
  bulkItem: Agrees<T.BulkItem, S['BulkItem']>
  chart: Agrees<T.ChartData, S['Chart']>
  certificate: Agrees<T.Certificate, S['Certificate']>
  conflict: Agrees<T.Conflict, S['Conflict']>
  datastream: Agrees<T.Datastream, S['Datastream']>
  datastreamType: Agrees<T.DatastreamType, S['DatastreamType']>
  delivery: Agrees<T.Delivery, S['Delivery']>
  device: Agrees<T.Device, S['Device']>
  deviceSnapshot: Agrees<T.DeviceSnapshot, S['DeviceSnapshot']>
  display: Agrees<T.Display, S['Display']>
  displayLink: Agrees<T.DisplayLink, S['DisplayLink']>
  linkPreview: Agrees<T.LinkPreview, S['LinkPreview']>
  division: Agrees<T.Division, S['Division']>
  event: Agrees<T.TimelineEvent, S['Event']>
  act: Agrees<T.Act, S['Act']>
  byHand: Agrees<T.ByHand, S['ByHand']>
  failedLogin: Agrees<T.FailedLogin, S['FailedLogin']>
  feature: Agrees<T.Feature, S['Feature']>
  featureChange: Agrees<T.FeatureChange, S['FeatureChange']>
  featureState: Agrees<T.FeatureState, S['FeatureState']>
  featureProperties: Agrees<T.FeatureProperties, S['FeatureProperties']>
  field: Agrees<T.Field, S['Field']>
  flagged: Agrees<T.Flagged, S['Flagged']>
  hazardType: Agrees<T.HazardType, S['HazardType']>
  hit: Agrees<T.Hit, S['Hit']>
  ingestBroker: Agrees<T.BrokerStats, S['BrokerStats']>
  ingestCounts: Agrees<T.IngestCounts, S['IngestCounts']>
  ingestSample: Agrees<T.IngestSample, S['IngestSample']>
  ingestStats: Agrees<T.IngestStats, S['IngestStats']>
  ingestTrouble: Agrees<T.DeviceTrouble, S['DeviceTrouble']>
  layer: Agrees<T.Layer, S['Layer']>
  layerChange: Agrees<LayerTileChange, S['LayerChange']>
  layerHealth: Agrees<T.LayerHealth, S['LayerState']>
  layerHealthList: Agrees<T.LayerHealthList, S['LayerHealth']>
  me: Agrees<T.Me, S['Me']>
  message: Agrees<T.CapMessage, S['Message']>
  observation: Agrees<T.Observation, S['Observation']>
  partHealth: Agrees<T.PartHealth, S['Health']>
  person: Agrees<T.Person, S['Person']>
  fault: Agrees<T.Fault, S['Fault']>
  problem: Agrees<T.Problem, Omit<S['Problem'], 'request_id'>>
  problemFault: Agrees<T.ProblemFault, S['FieldDetail']>
  quarantined: Agrees<T.Quarantined, S['Quarantined']>
  rule: Agrees<T.Rule, S['Rule']>
  session: Agrees<T.Session, S['Session']>
  silence: Agrees<T.Silence, S['Silence']>
  newSilence: Agrees<T.NewSilence, S['NewSilence']>
  source: Agrees<T.SourceFile, S['Source']>
  tileCache: Agrees<T.CacheState, S['CacheState']>
  tileFeed: Agrees<T.FeedState, S['FeedState']>
  threshold: Agrees<T.Threshold, S['Threshold']>
  undrawn: Agrees<T.Undrawn, S['Undrawn']>
  tileGrid: Agrees<T.TileGrid, S['TileGrid']>
  tileRules: Agrees<T.TileRules, S['TileRules']>
}

type AllTrue<X extends Record<keyof X, true>> = X
export type Checked = AllTrue<Checks>
