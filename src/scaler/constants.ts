/**
 * Every number that the engine was fitted with. Nothing here knows a trace: they were fitted on generated storms
 * of seeds 1,001–1,060 and on two traces (`nasa_0713`, `wc98_0625_0626`), at boots of 45 s, by the cost of
 * `docs/benchmark.md`; the storms that are reported and the other traces were held out. Marked *rule* is what was
 * not fitted but follows from what it is.
 */
export const ENGINE = {
  /** Memories of the trends in seconds, the calmest first: fitted; a third of each other, so that none is missed. */
  trendSeconds: [180, 60, 20, 7, 2.5],
  /** A trend remembers this share of what it has seen, as long as that is less than its memory: fitted. */
  memoryPerAge: 1 / 8,
  /** A slope is trusted for so many times its memory, fading: fitted. */
  trustPerMemory: 3,
  /** A faster trend overrules a calmer one that is so many of its standard deviations lower, or higher: fitted. */
  overruleUpDeviations: 4,
  overruleDownDeviations: 3,
  /** The near end of what is looked at, in seconds: until then the latest readings still count. Fitted. */
  nearSeconds: 5,

  /** How fast the measured noise forgets, in seconds: fitted; longer than a rise, shorter than a day's turn. */
  noiseSeconds: 300,
  /** One reading counts for at most so many times the noise so far: rule, so that a storm is no noise. */
  noiseOutlier: 9,
  /** Noise is measured on means of so many seconds as well, and demand on three of them: rule. */
  blockSeconds: 5,
  blocksPerDemand: 3,
  /** For so long after an onset, the slower noise is not measured: fitted, in seconds. */
  noisePauseSeconds: 30,
  /** The same for the errors of forecasts, in seconds: fitted. */
  errorSeconds: 600,
  /** For so long after a storm's onset, beyond the time to serve, errors say nothing of a calm: fitted, in seconds. */
  errorPauseSeconds: 60,
  /** Of the mean square of its own misses that a forecast is expected to miss by again: fitted. */
  learnedShare: 1,
  /** Share of the newsvendor's quantile that is kept as head-room: fitted. */
  headroomShare: 0.85,
  /** Where standby nodes wake at once, so many deviations are enough for what runs: fitted. */
  soonDeviations: 0.5,

  /** A storm: readings exceed the forecast by so many deviations each second … : fitted. */
  stormDriftDeviations: 0.9,
  /** … and by so many in sum: fitted; below 7 the noise of page views is a storm each hour. */
  stormAlarmDeviations: 9,
  /** Nothing is a storm until so many seconds have been seen: rule. */
  stormWarmUpSeconds: 30,
  /** An onset lies at least so many seconds before its alarm: fitted. */
  onsetSeconds: 3,
  /** An alarm within a storm begins a new one only after so many seconds: fitted. */
  stormSeconds: 1200,
  /** … and it is over when the rate is below so many times its base: rule. */
  stormOver: 1.15,
  /** How a rise is expected to go on, as a power of its age, before it has shown it; and how surely: fitted. */
  risePower: 0.7,
  risePowerDeviation: 0.3,
  risePowerMost: 1.7,
  /** Nothing is expected to grow by more within a time to serve: fitted. */
  riseMost: 6,
  /** In a storm the trend of 7 s overrules beyond so many deviations: fitted. */
  stormOverruleDeviations: 3,
  /** Of what is missing, so much more is ordered while requests suffer, since boots scatter: fitted. */
  missingShare: 1.3,

  /** How long the highest need is held, as a share of the time to serve; less within a storm: fitted. */
  holdShare: 0.15,
  stormHoldSeconds: 5,
  /** How long after its onset the shorter hold counts: fitted, in seconds. */
  stormHoldForSeconds: 300,

  /** Until the first boot has been measured: rule. */
  timeToServeSeconds: 60,
} as const;
