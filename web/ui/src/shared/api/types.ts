// The names under which the page uses the types of the HTTP API. They are generated from docs/openapi.json (npm run gen);
// what is written out here is what the schema leaves open. Times are RFC 3339 texts in UTC, coordinates are [lon, lat].

import type { Level } from '@/shared/theme/tokens'
import type { components, operations } from './schema'

type S = components['schemas']
type Query<Name extends keyof operations> = NonNullable<operations[Name]['parameters']['query']>
/** A filter as the page holds it: lists are joined by commas, an empty text is no filter. */
type Filter<Q> = { [K in keyof Q]?: NonNullable<Q[K]> extends boolean ? boolean : NonNullable<Q[K]> extends readonly unknown[] ? string : NonNullable<Q[K]> | '' }

export type { Level }
export type Text = S['Text']
/** A page of a list; next asks for what follows it. */
export type Page<T> = { items: T[] | null; next?: string }

// People and displays.
export type Role = S['Account']['role']
export type Permission = S['Me']['permissions'][number]
/** The schema leaves the lengths of the box and the point open. */
export type Me = Omit<S['Me'], 'city'> & { city: Omit<S['City'], 'bbox' | 'center'> & { bbox: [number, number, number, number]; center: [number, number] } }
export type Account = S['Account']
export type NewAccount = S['NewAccount']
export type AccountChange = S['AccountChange']
export type Session = S['Session']
export type FailedLogin = S['FailedLogin']
export type FailureReason = FailedLogin['reason']
export type FailedLoginFilter = Omit<Filter<Query<'listFailedLogins'>>, 'limit' | 'before'>
export type Assignee = S['Assignee']
export type Display = S['Display']
export type DisplayLink = S['DisplayLink']
export type LinkPreview = S['LinkPreview']
export type NewDisplay = S['NewDisplay']
export type DisplayMode = NewDisplay['mode']
export type DisplayStart = NewDisplay['start']

// What went wrong.
/** What the server answers to a request that it refuses. A proxy's answer has none of it. */
export type Problem = Partial<S['Problem']>
export type FieldDetail = S['FieldDetail']
export type Fault = S['Fault']

// Sensing.
export type Device = S['Device']
export type DeviceSnapshot = S['DeviceSnapshot']
export type Datastream = S['Datastream']
export type DatastreamType = S['DatastreamType']
export type DatastreamTypes = S['DatastreamTypes']
export type HazardType = S['HazardType']
export type Observation = S['Observation']
export type Certificate = S['Certificate']
export type NewCertificate = S['NewCertificate']
export type Conflict = S['Conflict']
export type Quarantined = S['Quarantined']
export type Chart = S['Chart']
export type Flagged = S['Flagged']
export type IngestStats = S['IngestStats']
export type IngestCounts = S['IngestCounts']
export type IngestSample = S['IngestSample']
export type BrokerStats = S['BrokerStats']
export type DeviceTrouble = S['DeviceTrouble']
/** A line of the event log. */
export type LogEvent = S['Event']

// Rules and alerts.
export type Rule = S['Rule']
export type RuleInput = S['RuleInput']
export type Threshold = S['Threshold']
export type Direction = Rule['direction']
export type Origin = Rule['origin']
export type Alert = S['Alert']
export type AlertAction = NonNullable<Alert['possible']>[number]
export type Detection = Alert['detection']
export type Handling = Alert['handling']
export type Reopened = S['Reopened']
export type Confirmation = S['Confirmation']
export type AlertList = S['AlertList']
export type AlertDetail = S['AlertDetail']
export type AlertStep = S['AlertStep']
export type Audit = S['Audit']
/** A CAP message of an alert. */
export type CapMessage = S['Message']
export type Person = S['Person']
export type Delivery = S['Delivery']
export type BulkItem = S['BulkItem']
export type AlertFilter = Omit<Filter<Query<'listAlerts'>>, 'count' | 'limit' | 'before'>
export type Silence = S['Silence']
export type SilenceKind = Silence['kind']
export type NewSilence = S['NewSilence']

// Layers and their tiles.
export type Layer = S['Layer']
export type Layers = S['Layers']
export type LayerChange = S['LayerChange']
export type LayerState = S['LayerState']
export type LayerHealth = S['LayerHealth']
export type Field = S['Field']
export type TileRules = S['TileRules']
export type TileGrid = S['TileGrid']
export type Undrawn = S['Undrawn']
export type FeedState = S['FeedState']
export type CacheState = S['CacheState']
export type FeatureProperties = S['FeatureProperties']
export type Act = S['Act']
export type ByHand = S['ByHand']

export type Position = number[]
/** The schema leaves the coordinates open, because they differ by the type: RFC 7946, section 3.1. */
export type Geometry =
  | { type: 'Point'; coordinates: Position }
  | { type: 'MultiPoint' | 'LineString'; coordinates: Position[] }
  | { type: 'Polygon' | 'MultiLineString'; coordinates: Position[][] }
  | { type: 'MultiPolygon'; coordinates: Position[][][] }
export type Feature = Omit<S['Feature'], 'geometry'> & { geometry: Geometry }
export type FeatureCollection = Omit<S['FeatureCollection'], 'features'> & { features: Feature[] }
export type FeatureState = Omit<S['FeatureState'], 'geometry'> & { geometry?: Geometry }
export type FeatureChange = Omit<S['FeatureChange'], 'before' | 'after'> & { before?: FeatureState; after?: FeatureState }

// The city, the server and the search.
export type Division = S['Division']
export type Hit = S['Hit']
export type Health = S['Health']
export type ServerHealth = S['ServerHealth']
export type Source = S['Source']
export type Sources = S['Sources']
