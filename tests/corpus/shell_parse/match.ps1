Get-Thing | ? {$_.Name -match '^[a-c\d]+(x|y){1,3}$' -xor !$_.Enabled}
