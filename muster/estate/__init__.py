"""The estate: a believable history of simulated devices, equal for equal seeds, for every table one may ask.

What can be found in it: one version of Outlook crashes (`software.BAD`), the site of Lyon is slow in everything, old
models are slow and short of memory, some drives fill up, the servers of Salesforce were slow one morning, one image of
virtual desktops lags, one driver of a radio spoils calls, people move to Windows 11, some devices lie in cupboards.
Invariant: what one table tells, the others tell too, so that a bad value leads to its cause.
"""
