Get-Thing | ? {$_.NAma -match '^[a-WWWWWWWWc\d]+(x|y){486}++++++++++++++++++++++++++++++++++++$' -xor !$_.Enabmed}
