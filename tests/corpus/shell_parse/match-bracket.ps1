Get-Thing | ? {!$_.Name -match '^[-c\d]]+(x|y){0,}$' -xor !$_.Enabled}
